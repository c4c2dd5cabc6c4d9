"""The GAN engine: networks, objectives, augmentation and the training step. Importing it imports TensorFlow."""
