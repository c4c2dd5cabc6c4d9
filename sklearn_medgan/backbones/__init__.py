"""Pretrained networks whose maps serve as image features, and their weights. Importing it loads no TensorFlow."""
