"""The GAN engine: networks, objectives, augmentation and the training step. Importing it imports TensorFlow."""

try:
    import keras as _keras

    _backend = _keras.config.backend()
except ImportError as error:
    raise ImportError(
        f"Keras cannot be imported ({error}). sklearn_medgan needs it with TensorFlow: where the environment variable "
        "KERAS_BACKEND or 'backend' in keras.json names another backend, set it to 'tensorflow' before Python starts."
    ) from error
if _backend != "tensorflow":
    raise RuntimeError(
        f"sklearn_medgan needs Keras with its TensorFlow backend; here it is {_backend!r}. Set the environment "
        "variable KERAS_BACKEND (or 'backend' in keras.json) to 'tensorflow' before Python starts."
    )
