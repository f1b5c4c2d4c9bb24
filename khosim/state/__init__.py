"""What is: the machine's arrays, and pure operations on them. Nothing here yields, prints or decides."""
