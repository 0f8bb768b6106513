// The few words of this page in every language: they have to be here, since nothing can be asked for. No document.

export const WORDS = {
  en: {
    title: "Visavis: the server is away",
    away: "The server is away",
    ask: "Is the computer that Visavis runs on switched on, and is this device in the same network?",
    trying: "Trying again…",
    waiting: "Not yet. Trying again every {seconds} s.",
    now: "Try now",
  },
  fr: {
    title: "Visavis : le serveur est absent",
    away: "Le serveur est absent",
    ask: "L’ordinateur qui fait tourner Visavis est-il allumé, et cet appareil est-il sur le même réseau ?",
    trying: "Nouvel essai…",
    waiting: "Pas encore. Nouvel essai toutes les {seconds} s.",
    now: "Essayer maintenant",
  },
  es: {
    title: "Visavis: el servidor no está",
    away: "El servidor no está",
    ask: "¿Está encendido el ordenador en el que funciona Visavis y está este dispositivo en la misma red?",
    trying: "Se intenta de nuevo…",
    waiting: "Todavía no. Se intenta de nuevo cada {seconds} s.",
    now: "Intentar ahora",
  },
  de: {
    title: "Visavis: Der Server ist nicht da",
    away: "Der Server ist nicht da",
    ask: "Ist der Rechner, auf dem Visavis läuft, eingeschaltet, und ist dieses Gerät im selben Netz?",
    trying: "Neuer Versuch…",
    waiting: "Noch nicht. Neuer Versuch alle {seconds} s.",
    now: "Jetzt versuchen",
  },
  pt: {
    title: "Visavis: o servidor está ausente",
    away: "O servidor está ausente",
    ask: "O computador em que o Visavis funciona está ligado, e este dispositivo está na mesma rede?",
    trying: "Nova tentativa…",
    waiting: "Ainda não. Nova tentativa a cada {seconds} s.",
    now: "Tentar agora",
  },
  ja: {
    title: "Visavis：サーバーに接続できません",
    away: "サーバーに接続できません",
    ask: "Visavis が動いているコンピューターの電源は入っていますか。この端末は同じネットワークにつながっていますか。",
    trying: "再試行しています…",
    waiting: "まだ接続できません。{seconds} 秒ごとに再試行します。",
    now: "今すぐ試す",
  },
  zh: {
    title: "Visavis：服务器不在线",
    away: "服务器不在线",
    ask: "运行 Visavis 的电脑开着吗？此设备与它在同一网络中吗？",
    trying: "正在重试…",
    waiting: "还没有连上。每 {seconds} 秒重试一次。",
    now: "立即重试",
  },
  ar: {
    title: "Visavis: الخادم غير متاح",
    away: "الخادم غير متاح",
    ask: "هل الحاسوب الذي يعمل عليه Visavis قيد التشغيل، وهل هذا الجهاز على الشبكة نفسها؟",
    trying: "تجري المحاولة من جديد…",
    waiting: "ليس بعد. تُعاد المحاولة كل {seconds} ث.",
    now: "المحاولة الآن",
  },
};

/** The language for somebody who chose `kept` (or nothing) and whose browser asks for these tags, as static/language.js finds it. */
export function languageFor(kept, tags) {
  const have = (language) => Object.hasOwn(WORDS, language ?? "");
  return have(kept) ? kept : (tags.map((tag) => tag.toLowerCase().split(/[-_]/)[0]).find(have) ?? "en");
}
