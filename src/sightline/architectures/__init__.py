"""One file a network family: how a picture becomes its input and its output becomes an answer."""
