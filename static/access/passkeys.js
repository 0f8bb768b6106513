// Passkeys (WebAuthn): from the server's JSON to the browser's own shapes and back. By hand, as Safari before 18.4 cannot.

import { t } from "../language.js";

const binary = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

function text64(buffer) {
  let letters = "";
  for (const byte of new Uint8Array(buffer)) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const described = (list) => (list ?? []).map((one) => ({ ...one, id: binary(one.id) }));

/** PublicKeyCredentialCreationOptions from its JSON. */
export function creation(json) {
  return { ...json, challenge: binary(json.challenge), user: { ...json.user, id: binary(json.user.id) }, excludeCredentials: described(json.excludeCredentials) };
}

/** PublicKeyCredentialRequestOptions from its JSON. */
export function request(json) {
  return { ...json, challenge: binary(json.challenge), allowCredentials: described(json.allowCredentials) };
}

/** RegistrationResponseJSON or AuthenticationResponseJSON of what the browser made. */
export function answered(credential) {
  const { response } = credential;
  const kept = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].filter((name) => response[name]);
  const parts = Object.fromEntries(kept.map((name) => [name, text64(response[name])]));
  if (response.attestationObject) {
    delete parts.authenticatorData; // it is in the attestation
    parts.transports = response.getTransports?.() ?? [];
  }
  return {
    id: credential.id,
    rawId: text64(credential.rawId),
    type: credential.type,
    ...(credential.authenticatorAttachment ? { authenticatorAttachment: credential.authenticatorAttachment } : {}),
    clientExtensionResults: credential.getClientExtensionResults?.() ?? {},
    response: parts,
  };
}

/** Whether this browser, at this address, has passkeys at all. */
export const browserHasThem = () => Boolean(globalThis.isSecureContext && globalThis.PublicKeyCredential && navigator.credentials);

/** Whether it offers them where a name is typed. */
export async function offersThem() {
  return Boolean(browserHasThem() && (await PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false)));
}

/** Make one for what the server asked; resolves to its JSON. */
export const make = async (json) => answered(await navigator.credentials.create({ publicKey: creation(json) }));

/** Answer what the server asked with one; `how` goes to the browser as it is: {signal, mediation}. */
export const use = async (json, how = {}) => answered(await navigator.credentials.get({ publicKey: request(json), ...how }));

/** What to say where making or using one failed. */
export function failed(error) {
  if (error.name === "InvalidStateError") return t("There is a passkey of yours on this device already.");
  if (error.name === "NotAllowedError") return t("No passkey was used: it was cancelled, took too long, or this device has none for this address.");
  if (error.name === "SecurityError") return t("This browser uses no passkeys at this address. Open the server by its name, not by its number.");
  if (error.name === "NotSupportedError" || error.name === "ConstraintError") return t("This device cannot make a passkey that asks for a finger, a face or a PIN.");
  return error.message;
}

/** A name for a passkey made on this device: the sort of device it is. */
export function deviceName(agent = navigator.userAgent) {
  const sorts = [["iPhone", /iPhone/], ["iPad", /iPad/], ["Android", /Android/], ["ChromeOS", /CrOS/], ["Mac", /Macintosh/], ["Windows", /Windows/], ["Linux", /Linux/]];
  return sorts.find(([, pattern]) => pattern.test(agent))?.[0] ?? "";
}

/** Whether a host is a bare IP address, for which no browser makes passkeys. */
export const isBareAddress = (host) => /^[\d.]+$/.test(host) || host.startsWith("[");
