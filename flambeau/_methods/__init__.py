"""The bodies of Tensor's methods that no declaration gives; methods.py attaches them."""
