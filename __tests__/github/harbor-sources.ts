/**
 * The image lines of Harbor's compose template at a few tags, and the version lines of its Makefile at v1.10.1, as they
 * stand there: https://github.com/goharbor/harbor/blob/v2.15.2/make/photon/prepare/templates/docker_compose/docker-compose.yml.jinja
 */
export const composeTemplates = {
  "v1.8.0": `
    image: goharbor/harbor-log:{{version}}
    image: goharbor/registry-photon:{{reg_version}}
    image: goharbor/harbor-registryctl:{{version}}
    image: goharbor/harbor-db:{{version}}
    image: goharbor/harbor-core:{{version}}
    image: goharbor/harbor-portal:{{version}}
    image: goharbor/harbor-jobservice:{{version}}
    image: goharbor/redis-photon:{{redis_version}}
    image: goharbor/nginx-photon:{{redis_version}}
    image: goharbor/notary-server-photon:{{notary_version}}
    image: goharbor/notary-signer-photon:{{notary_version}}
    image: goharbor/clair-photon:{{clair_version}}
    image: goharbor/chartmuseum-photon:{{chartmuseum_version}}
`,
  "v1.10.1": `
    image: goharbor/harbor-log:{{version}}
    image: goharbor/registry-photon:{{reg_version}}
    image: goharbor/harbor-registryctl:{{version}}
    image: goharbor/harbor-db:{{version}}
    image: goharbor/harbor-core:{{version}}
    image: goharbor/harbor-portal:{{version}}
    image: goharbor/harbor-jobservice:{{version}}
    image: goharbor/redis-photon:{{redis_version}}
    image: goharbor/nginx-photon:{{version}}
    image: goharbor/notary-server-photon:{{notary_version}}
    image: goharbor/notary-signer-photon:{{notary_version}}
    image: goharbor/clair-photon:{{clair_version}}
    image: goharbor/clair-adapter-photon:{{clair_adapter_version}}
    image: goharbor/chartmuseum-photon:{{chartmuseum_version}}
`,
  "v2.1.6": `
    image: goharbor/harbor-log:{{version}}
    image: goharbor/registry-photon:{{reg_version}}
    image: goharbor/harbor-registryctl:{{version}}
    image: goharbor/harbor-db:{{version}}
    image: goharbor/harbor-core:{{version}}
    image: goharbor/harbor-portal:{{version}}
    image: goharbor/harbor-jobservice:{{version}}
    image: goharbor/redis-photon:{{redis_version}}
    image: goharbor/nginx-photon:{{version}}
    image: goharbor/notary-server-photon:{{notary_version}}
    image: goharbor/notary-signer-photon:{{notary_version}}
    image: goharbor/clair-photon:{{clair_version}}
    image: goharbor/clair-adapter-photon:{{clair_adapter_version}}
    image: goharbor/trivy-adapter-photon:{{trivy_adapter_version}}
    image: goharbor/chartmuseum-photon:{{chartmuseum_version}}
`,
  "v2.15.1": `
    image: goharbor/harbor-log:{{version}}
    image: goharbor/registry-photon:{{reg_version}}
    image: goharbor/harbor-registryctl:{{version}}
    image: goharbor/harbor-db:{{version}}
    image: goharbor/harbor-core:{{version}}
    image: goharbor/harbor-portal:{{version}}
    image: goharbor/harbor-jobservice:{{version}}
    image: goharbor/redis-photon:{{redis_version}}
    image: goharbor/nginx-photon:{{version}}
    image: goharbor/trivy-adapter-photon:{{trivy_adapter_version}}
    image: goharbor/harbor-exporter:{{version}}
`,
  "v2.15.2": `
    image: goharbor/harbor-log:{{version}}
    image: goharbor/registry-photon:{{reg_version}}
    image: goharbor/harbor-registryctl:{{version}}
    image: goharbor/harbor-db:{{version}}
    image: goharbor/harbor-core:{{version}}
    image: goharbor/harbor-portal:{{version}}
    image: goharbor/harbor-jobservice:{{version}}
    image: goharbor/valkey-photon:{{redis_version}}
    image: goharbor/nginx-photon:{{version}}
    image: goharbor/trivy-adapter-photon:{{trivy_adapter_version}}
    image: goharbor/harbor-exporter:{{version}}
`,
} as const;

export const makefileOf1101 = `
REGISTRYVERSION=v2.7.1-patch-2819-2553
NGINXVERSION=$(VERSIONTAG)
NOTARYVERSION=v0.6.1
CLAIRVERSION=v2.1.1
MIGRATORVERSION=$(VERSIONTAG)
REDISVERSION=$(VERSIONTAG)
NOTARYMIGRATEVERSION=v3.5.4
CLAIRADAPTERVERSION=v1.0.1
CHARTMUSEUMVERSION=v0.9.0
`;
