/** Fields of a chart: what Go's reader of YAML takes in its own way. */
export const oddFields = `appversion: 1.10
Description: |
  Two lines,
  \ta tab, <b>&amp;</b>, "quotes", \\ and 中文 – ünïcode 🙂\u00a0.
deprecated: yes
kubeVersion: ">=1.20.0-0"
type: library
keywords: [1.50, 0x1F, 010, 1e3, 1234567.5, 12345678901234567890, 0.00001, 1_000, true, off, 2026-05-27, ~x, "1.0"]
icon: &icon https://example.com/a?b=1&c=<d>
sources: [*icon, https://example.com/second]
maintainers:
- &base
  Name: Somebody
- <<: *base
  email: a@example.com
  url: https://example.com
- email: only@example.com
annotations:
  org.opencontainers.image.title: another
  org.opencontainers.image.version: 9.9.9
  org.opencontainers.image.source: https://example.com/of-the-annotations
  "10": ten
  "9": nine
  b: "<&>\u2028"
  a: 1.0
  A: true
dependencies:
- name: inner
  version: 1.x.x
  repository: ""
  enabled: true
  tags: [one]
  import-values:
  - data
  - child: a.b
    parent: 2
- name: other
  alias: another
`;
