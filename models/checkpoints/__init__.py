"""Readers of published weights that execute nothing: PyTorch, Keras, ONNX, TensorFlow.js, Orbax."""
