"""Deliveries from several places: folders, SFTP servers and FTP servers, which are read as one pack.

A file `sources.toml` lists the places. New and changed files of servers are copied into the landing folder, and appear
under their names only when they are whole. Nothing is written on a server.
"""
