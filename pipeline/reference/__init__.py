"""Recurrent networks and back-propagation through time written out in NumPy: no framework, float64, made to be read.

- cells: one step of simple_rnn, lstm and gru, forward and backward;
- through_time: the steps of a sequence, and the way back through them, whole or truncated;
- network: cells on top of each other, a dense layer above them, a loss;
- clipping: gradients cut down to size, by value or by norm.

Weights have the shapes and the order of Keras, gate for gate, so that they go from here to there and back unchanged,
and the tests compare every output and every gradient with Keras and with finite differences. `d_x` is always the
gradient of the loss with respect to x, and has the shape of x.
"""
