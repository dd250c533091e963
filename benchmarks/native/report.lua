-- wrk's figures as JSON, for benchmarks/drive.py.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"operations": %d, "seconds": %.6f, "errors": %d, "p50": %.7f, "p99": %.7f}\n',
    summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
