"""Image features and labelled synthetic rows from a class-conditional GAN."""
