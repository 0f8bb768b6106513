"""What other programs use: the document that describes every route, keys, paging, and how errors are said."""
