from __future__ import annotations

from django.urls import path

from expansion.dashboards import changelog, definitions

urlpatterns = [
    path("definitions/", definitions.definitions, name="definitions"),
    path("definitions/signals/<slug:key>/", definitions.rule, name="rule"),
    path("definitions/signals/<slug:key>/draft/", definitions.rule_draft, name="rule_draft"),
    path("definitions/signals/<slug:key>/discard/", definitions.rule_discard, name="rule_discard"),
    path("definitions/signals/<slug:key>/publish/", definitions.rule_publish, name="rule_publish"),
    path("definitions/signals/<slug:key>/restore/<int:number>/", definitions.rule_restore, name="rule_restore"),
    path("definitions/signals/<slug:key>/switch/", definitions.rule_switch, name="rule_switch"),
    path("definitions/signals/<slug:key>/test/", definitions.rule_test, name="rule_test"),
    path("definitions/log/", changelog.change_log, name="change_log"),
]
