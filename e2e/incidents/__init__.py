"""Incidents with real processes, as an on-call engineer sees them: alerts of a real Prometheus and Alertmanager.

monitoring.py runs these two and receives the notifications, stage.py has the API server and the controllers of an
incident, incidents.py the incidents, series.py what Prometheus recorded, dashboard.py the queries of the dashboard.
"""
