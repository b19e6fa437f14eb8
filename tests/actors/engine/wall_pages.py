"""Pages that are no articles, invented after each kind that stands before one; each has enough words to pass for a short article."""
# ruff: noqa: RUF001 (pages in several scripts)


def _page(title: str, body: str, head: str = "", lang: str = "en") -> str:
    return f"<!doctype html><html lang='{lang}'><head><meta charset='utf-8'><title>{title}</title>{head}</head><body>{body}</body></html>"


def _site(title: str, body: str, lang: str = "en") -> str:
    nav = "<nav><a href='/'>Home</a> <a href='/news'>News</a> <a href='/sport'>Sport</a> <a href='/login'>Log in</a></nav>"
    foot = "<footer><a href='/imprint'>Imprint</a> <a href='/privacy'>Privacy</a> © Daily Example</footer>"
    return _page(f"{title} | Daily Example", f"{nav}<main>{body}</main>{foot}", "", lang)


def _paid(title: str, teaser: str, offer: str, lang: str = "en") -> str:
    return _site(title, f"<article><h1>{title}</h1><p>{teaser}</p><div class='offer'>{offer}</div></article>", lang)


#: The kind → (code, the page).
WALLS: dict[str, tuple[str, str]] = {
    "a challenge of Cloudflare": ("blocked", _page(
        "Just a moment...",
        "<h1>news.example</h1><h2>Verifying you are human. This may take a few seconds.</h2><p>news.example needs to review the security of your "
        "connection before proceeding. Verification is taking longer than expected. Check your Internet connection and refresh the page if the issue "
        "persists.</p><noscript>Enable JavaScript and cookies to continue</noscript><script src='/cdn-cgi/challenge-platform/h/b/orchestrate/"
        "chl_page/v1'></script><div>Ray ID: 8f1c2d3e4a5b6c7d</div><div>Performance &amp; security by Cloudflare</div>",
        "<meta http-equiv='refresh' content='390'><meta name='robots' content='noindex,nofollow'>",
    )),
    "a block of Cloudflare": ("blocked", _page(
        "Attention Required! | Cloudflare",
        "<h1>Sorry, you have been blocked</h1><h2>You are unable to access news.example</h2><p>This website is using a security service to protect "
        "itself from online attacks. The action you just performed triggered the security solution. There are several actions that could trigger "
        "this block including submitting a certain word or phrase, a SQL command or malformed data.</p>",
    )),
    "a robot check of a shop": ("blocked", _page(
        "Robot Check",
        "<h4>Enter the characters you see below</h4><p>Sorry, we just need to make sure you're not a robot. For best results, please make sure your "
        "browser is accepting cookies.</p><form method='get' action='/errors/validateCaptcha'><h4>Type the characters you see in this image:</h4>"
        "<img src='/captcha/abc.jpg'><button>Continue shopping</button></form><p>To discuss automated access to our data please write to us.</p>",
    )),
    "a robot check of a newspaper": ("blocked", _page(
        "news.example - Are you a robot?",
        "<h3>We've detected unusual activity from your computer network</h3><p>To continue, please click the box below to let us know you're not a "
        "robot.</p><div id='px-captcha'></div><p>Please make sure your browser supports JavaScript and cookies and that you are not blocking them "
        "from loading. For inquiries related to this message please contact our support team and provide the reference ID below.</p>",
    )),
    "a soft 404": ("not_found", _site(
        "Page not found",
        "<h1>Sorry, we can’t find that page</h1><p>The page you were looking for may have been moved, or it may no longer exist. Please check the "
        "address for typing errors, or use the search at the top of this page.</p><h2>Most read</h2><ul><li><a href='/a'>The council votes on the "
        "new tram</a></li><li><a href='/b'>Velm wins the cup</a></li></ul><p>Write to our readers' desk and tell us which link you followed.</p>",
    )),
    "a soft 404 in German": ("not_found", _site(
        "Fehler 404",
        "<h1>Seite nicht gefunden</h1><p>Die von Ihnen gewünschte Seite existiert leider nicht oder nicht mehr. Möglicherweise haben Sie sich bei der "
        "Eingabe der Adresse vertippt, oder der Artikel wurde aus rechtlichen Gründen entfernt. Hier finden Sie die meistgelesenen Artikel.</p>",
        "de",
    )),
    "a page of consent": ("consent", _page(
        "Before you continue to Example News",
        "<h1>Before you continue</h1><p>We use cookies and data to deliver and maintain our services, track outages and protect against spam, fraud "
        "and abuse. If you choose to accept all, we will also use cookies and data to develop and improve new services, and show personalized "
        "content.</p><button>Reject all</button><button>Accept all</button><p>You can also change your choice at any time.</p>",
    )),
    "a page of consent in German": ("consent", _page(
        "Zustimmung | Tageblatt",
        "<h1>Mit Werbung weiterlesen</h1><p>Besuchen Sie unsere Seite wie gewohnt mit Werbung und Tracking. Ihre Zustimmung ist jederzeit "
        "widerrufbar.</p><button>Akzeptieren und weiter</button><p>Nutzen Sie unser Angebot ganz ohne Werbetracking für 2,99 Euro im Monat. Wir und "
        "unsere 187 Partner verarbeiten personenbezogene Daten wie Ihre IP-Adresse, um Anzeigen und Inhalte zu personalisieren.</p>",
        lang="de",
    )),
    "a paywall in English": ("paywall", _paid(
        "Why the bridge of Velm stays closed",
        "The bridge over the Lohe has been closed since Monday. Engineers found forty cracks in its northern pillar, and the town expects half a year "
        "of works. The ferry leaves every ten minutes now, and still people queue as far as the road.",
        "<h2>Keep reading with a free trial</h2><p>Subscribe to continue reading. Get unlimited access to all of our articles for $1 a week.</p>",
    )),
    "a paywall in German": ("paywall", _paid(
        "Warum die Brücke von Velm gesperrt bleibt",
        "Seit Montag ist die Brücke über die Lohe gesperrt. Gutachter haben in ihrem nördlichen Pfeiler vierzig Risse gefunden, und die Stadt rechnet "
        "mit einem halben Jahr Bauzeit. Die Fähre fährt im Zehn-Minuten-Takt, doch an den Anlegestellen stehen die Menschen bis auf die Straße.",
        "<h2>Weiterlesen mit Tageblatt Plus</h2><p>Dieser Artikel ist exklusiv für Abonnenten. Sie haben bereits ein Abo? Jetzt anmelden.</p>",
        "de",
    )),
    "a paywall in French": ("paywall", _paid(
        "Pourquoi le pont de Velm reste fermé",
        "Depuis lundi, le pont sur la Lohe est fermé à la circulation. Les experts ont relevé quarante fissures dans son pilier nord, et la ville "
        "prévoit six mois de travaux. Le bac passe toutes les dix minutes, mais les files d’attente débordent sur la chaussée.",
        "<p>Il vous reste 78,4 % de cet article à lire. La suite est réservée aux abonnés.</p><p>Déjà abonné ? Se connecter</p>",
        "fr",
    )),
    "a paywall in Spanish": ("paywall", _paid(
        "Por qué el puente de Velm sigue cerrado",
        "Desde el lunes, el puente sobre el Lohe está cerrado al tráfico. Los peritos encontraron cuarenta grietas en el pilar norte, y la ciudad "
        "calcula medio año de obras. El transbordador sale cada diez minutos, pero las colas llegan hasta la calle.",
        "<h3>Suscríbete para seguir leyendo</h3><p>Contenido exclusivo para suscriptores. ¿Ya eres suscriptor? Inicia sesión</p>",
        "es",
    )),
    "a login": ("paywall", _site(
        "Log in",
        "<h1>Welcome back</h1><p>Log in or create a free account to read this story. With an account you can follow topics, save articles for later "
        "and get our morning letter.</p><form method='post'><label>E-mail <input type='email'></label><label>Password <input type='password' "
        "name='password'></label><button>Log in</button></form><p>Forgotten your password? We will send you a link by e-mail.</p>",
    )),
    "a page that wants scripts": ("blocked", _page(
        "Daily Example",
        "<div id='root'><h1>JavaScript is required</h1><p>You need to enable JavaScript to run this app. This site relies on scripts to show its "
        "pages, and your browser does not support them or has them switched off. If that does not help, try another browser.</p></div>",
    )),
    "a block by country": ("blocked", _page(
        "Unavailable",
        "<h1>451: Unavailable due to legal reasons</h1><p>We recognize you are attempting to access this website from a country belonging to the "
        "European Economic Area (EEA) which enforces the General Data Protection Regulation (GDPR) and therefore access cannot be granted.</p>",
    )),
    "a refusal of a firewall": ("blocked", _page(
        "Access Denied",
        '<h1>Access Denied</h1><p>You don\'t have permission to access "http://news.example/a-story" on this server.</p><p>Your request was judged '
        "to be automated. Please contact the administrator of the site and quote the reference together with the time of your visit.</p>",
    )),
}  # fmt: skip
