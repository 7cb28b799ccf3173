"""Other libraries that explain images, each in its default and in its best form."""
