// Pins Alertmanager itself. It is built in its own module, whose go.mod pins the rest (e2e/gotools/__init__.py).
module atmpl/e2e/gotools/alertmanager

go 1.26.7

require github.com/prometheus/alertmanager v0.34.1
