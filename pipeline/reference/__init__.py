"""Implement recurrent networks and back-propagation through time in NumPy: no framework, float64, written to be read.

- cells: one step of simple_rnn, lstm and gru, forward and backward;
- through_time: all steps of a sequence, forward and backward, with full or truncated back-propagation;
- network: stacked recurrent layers, a dense layer on top, a loss;
- clipping: gradient clipping, by value or by norm.

Weights have the shapes and the order of Keras, gate for gate, so they can be copied to Keras and back unchanged. The
tests compare every output and every gradient with Keras and with finite differences. `d_x` is always the gradient of
the loss with respect to x, and has the shape of x.
"""
