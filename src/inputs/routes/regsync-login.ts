import type { YamlMap } from "../yaml.ts";
import { fieldsOf, refuseCertificates, refuseInsecure, type Surroundings, textIn } from "./fields.ts";
import { parseBelowHost } from "./reference.ts";
import { remarkOn } from "./regsync-keys.ts";
import type { LoginText } from "./route-text.ts";
import { filledIn } from "./variables.ts";

const loginKeys = ["registry", "user", "pass", "tls", "scheme", "hostname", "regcert"] as const;

/** One of regsync's `creds`: a login, and how its registry is spoken to. None where it has no login, or after a mistake. */
export function readLogin(map: YamlMap, surroundings: Surroundings): readonly LoginText[] {
  const { remarks } = surroundings;
  const fields = fieldsOf(map);
  remarkOn(map.entries, loginKeys, surroundings);
  const value = (key: string): string => {
    const text = textIn(fields.get(key), remarks) ?? "";
    return filledIn(text, fields.get(key)?.line ?? map.line, "login", surroundings) ?? "";
  };
  const name = value("registry");
  const registry = parseBelowHost(name.replace(/^https?:\/\//, ""))?.registry ?? hubOf(name);
  if (registry === undefined) {
    remarks.mistake(fields.get("registry")?.line ?? map.line, "registry: it takes the host of a registry");
    return [];
  }
  for (const key of ["tls", "scheme"]) {
    const entry = fields.get(key);
    const text = textIn(entry, remarks) ?? "";
    if (entry !== undefined && /^(?:disabled|insecure|http)$/i.test(text))
      refuseInsecure(registry, entry, remarks);
  }
  if (/^http:\/\//i.test(name))
    refuseInsecure(
      registry,
      fields.get("registry") ?? { key: "registry", line: map.line, value: map },
      remarks,
    );
  refuseCertificates(fields.get("regcert"), remarks);
  const host = value("hostname").replace(/^https?:\/\//, "");
  if (host !== "" && parseBelowHost(host)?.registry !== registry)
    remarks.mistake(
      fields.get("hostname")?.line ?? map.line,
      "hostname: a registry is spoken to by its own name",
    );
  const [username, password] = [value("user"), value("pass")];
  return username === "" && password === "" ? [] : [{ place: registry, username, password }];
}

/** The key of the Docker configuration, too, which regsync takes for Docker Hub. */
function hubOf(name: string): string | undefined {
  return /^(?:https:\/\/)?index\.docker\.io\/v1\/?$/.test(name) ? "docker.io" : undefined;
}
