"""From stored figures and predictions to what people read: tables, pictures, a section for each data set, pages.

Nothing here trains or predicts, and nothing here shows a file that params.yaml does not name.
"""
