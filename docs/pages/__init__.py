"""The pages of docs/reference/, one module each; `docs/make_reference.py` writes them."""
