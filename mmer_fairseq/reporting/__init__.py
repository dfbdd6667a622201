"""Results of one or several systems → numbers with their uncertainty, and one page that shows them."""
