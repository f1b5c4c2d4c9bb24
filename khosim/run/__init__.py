"""Who goes next: the engine. It would drive any generators; it does not know KHO."""
