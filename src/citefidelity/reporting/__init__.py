"""The report of a screening: figures drawn from store and journal, and the one page that shows them."""
