"""The networks that Sightline trains itself, one a file. Each is a plain ``torch.nn.Module``."""
