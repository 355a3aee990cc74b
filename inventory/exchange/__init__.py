"""Files in and out: the malls' own formats and ours, for listings and for stock."""
