"""Traces of batches for OpenTelemetry, where an endpoint is set: file, batch, step, sampled call.

`interceptors` carries the context through Temporal and `carried` says in which form. Only `spans` and `exporting` know
OpenTelemetry, and `opened` imports these only when it is wanted.
"""
