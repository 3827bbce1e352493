"""What stands on top of the recurrent layers: attention, softmax, search."""
