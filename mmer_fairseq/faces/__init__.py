"""Faces found, followed and cropped once, so that training reads crops."""
