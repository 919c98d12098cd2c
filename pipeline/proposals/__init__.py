"""Look at a user's own file, and propose the rows of params.yaml with which it is read and learned."""
