"""The flow: batches, the loop over chunks, and the bytes of inputs and outputs."""
