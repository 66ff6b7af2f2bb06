"""The functions of ``nn.functional``, one family a file; ``nn/functional.py`` lists them."""
