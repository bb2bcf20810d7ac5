"""From a file to rows: parsing → mapping → checking (pure) → applying (chunk by chunk, once).

parsing    bytes to cells: encoding, delimiter, quotes, JSON lines, spreadsheets (in a child process)
mapping    cells of a source to cells of a dataset
checking   cells to typed values, or a refusal that names line, column, value and reason
applying   typed values to tables: idempotent, resumable, counted
"""
