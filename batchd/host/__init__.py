"""batchd on a host with systemd: installed, upgraded and removed by one command, and batchctl with its settings.

Runs from the wheel itself before anything is installed, so it uses the standard library alone.
"""
