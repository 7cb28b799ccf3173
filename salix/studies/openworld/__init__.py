"""Open-world attribution of forgeries to their maker: known methods named, novel ones clustered."""
