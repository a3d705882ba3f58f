/** Environment variables by name, as a process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What every credential helper gets: where programs, homes, settings and temporary files are, the way to the network, and
 * how to reach a keyring. A list of what is allowed, because nobody can list the names of all secrets that a workflow has.
 */
const common =
  /^(PATH|PATHEXT|HOME|USER|LOGNAME|USERNAME|USERPROFILE|HOMEDRIVE|HOMEPATH|LANG|LC_[A-Z]+|TZ|TMPDIR|TEMP|TMP|XDG_[A-Z_]+|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES(\(X86\))?|LD_LIBRARY_PATH|DOCKER_CONFIG|REGISTRY_AUTH_FILE|HTTPS?_PROXY|ALL_PROXY|NO_PROXY|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|DBUS_SESSION_BUS_ADDRESS|DISPLAY|WAYLAND_DISPLAY|GNUPGHOME|GPG_TTY|PASSWORD_STORE_[A-Z_]+)$/i;

/** What the helper of a vendor gets as well: the variables of that vendor's own tools, which may hold its secrets. */
const ofVendors: readonly { readonly helpers: RegExp; readonly variables: RegExp }[] = [
  // https://github.com/awslabs/amazon-ecr-credential-helper#configuration
  { helpers: /^ecr-login$/, variables: /^AWS_/i },
  // https://cloud.google.com/artifact-registry/docs/docker/authentication, https://github.com/GoogleCloudPlatform/docker-credential-gcr
  { helpers: /^(gcloud|gcr)$/, variables: /^(GOOGLE_|CLOUDSDK_|GCE_METADATA_)/i },
  // https://github.com/osscontainertools/docker-credential-acr, https://github.com/cmeister2/docker-credential-acr-login
  {
    helpers: /^(azure|acr|acr-(env|login|linux|darwin|windows))$/,
    variables: /^(AZURE_|ARM_|MSI_|IDENTITY_|ACR_)/i,
  },
  // https://github.com/mozillazg/docker-credential-acr-helper
  { helpers: /^acr-helper$/, variables: /^ALIBABA_CLOUD_/i },
  // https://github.com/isometry/docker-credential-env
  { helpers: /^env$/, variables: /^(AWS_|DOCKER_.+_(USR|PSW)$)/i },
];

/** The variables that a credential helper is run with: no secret that belongs to somebody else. */
export function helperEnvironment(helper: string, environment: Environment): Environment {
  const own = ofVendors.filter(({ helpers }) => helpers.test(helper));
  return pick(environment, [common, ...own.map(({ variables }) => variables)]);
}

/** The variables that any credential helper at all may get. */
export function environmentForHelpers(environment: Environment): Environment {
  return pick(environment, [common, ...ofVendors.map(({ variables }) => variables)]);
}

function pick(environment: Environment, allowed: readonly RegExp[]): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => allowed.some((names) => names.test(name))),
  );
}
