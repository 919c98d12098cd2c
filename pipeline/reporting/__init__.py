"""Turn stored figures and predictions into tables, pictures, a section for each data set, and pages.

Nothing here trains or predicts. Reports show only the experiments that params.yaml names.
"""
