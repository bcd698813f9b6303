"""Groups of tied channels, what ranks them, surgery, and what a schedule costs."""
