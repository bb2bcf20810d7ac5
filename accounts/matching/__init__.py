"""How two spellings of one company are told to be the same: pure, no Django."""
