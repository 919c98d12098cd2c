"""Turning: does the next value of a series lie above the last one?"""
