"""Pages that are no articles, invented after each kind that stands before one; each has enough words to pass for a short article."""
# ruff: noqa: RUF001 (pages in several scripts)

_NAV = "<nav><a href='/'>Home</a> <a href='/news'>News</a> <a href='/sport'>Sport</a> <a href='/login'>Log in</a></nav>"
_FOOT = "<footer><a href='/imprint'>Imprint</a> <a href='/privacy'>Privacy</a> © Daily Example</footer>"


def _page(title: str, body: str, head: str = "", lang: str = "en") -> str:
    return f"<!doctype html><html lang='{lang}'><head><meta charset='utf-8'><title>{title}</title>{head}</head><body>{body}</body></html>"


def _site(title: str, body: str, head: str = "", lang: str = "en") -> str:
    return _page(f"{title} | Daily Example", f"{_NAV}<main>{body}</main>{_FOOT}", head, lang)


_TEASER_DE = (
    "<article><h1>Warum die Brücke von Velm gesperrt bleibt</h1><p>Seit Montag ist die Brücke über die Lohe gesperrt. Gutachter "
    "haben in ihrem nördlichen Pfeiler vierzig Risse gefunden, und die Stadt rechnet mit einem halben Jahr Bauzeit. Die Fähre fährt "
    "seitdem im Zehn-Minuten-Takt, doch an den Anlegestellen stehen die Menschen bis auf die Straße.</p><p>Bürgermeisterin Ada Kern "
    "sagt, niemand habe die Schäden ahnen können. Der Bericht, der dieser Redaktion vorliegt, sagt etwas anderes: Schon vor drei "
    "Jahren hatten Ingenieure gewarnt, und zweimal wurde die Prüfung verschoben.</p>"
)
_TEASER_FR = (
    "<article><h1>Pourquoi le pont de Velm reste fermé</h1><p>Depuis lundi, le pont sur la Lohe est fermé à la circulation. Les "
    "experts ont relevé quarante fissures dans son pilier nord, et la ville prévoit six mois de travaux. Le bac passe désormais toutes "
    "les dix minutes, mais les files d’attente débordent sur la chaussée.</p><p>La maire, Ada Kern, assure que personne ne pouvait "
    "prévoir ces dégâts. Le rapport que nous avons consulté raconte une autre histoire.</p>"
)
_TEASER_ES = (
    "<article><h1>Por qué el puente de Velm sigue cerrado</h1><p>Desde el lunes, el puente sobre el Lohe está cerrado al tráfico. Los "
    "peritos encontraron cuarenta grietas en el pilar norte, y la ciudad calcula medio año de obras. El transbordador sale ahora cada "
    "diez minutos, pero las colas llegan hasta la calle.</p><p>La alcaldesa, Ada Kern, dice que nadie podía imaginar los daños. El "
    "informe al que ha tenido acceso este periódico dice otra cosa.</p>"
)
_TEASER_EN = (
    "<article><h1>Why the bridge of Velm stays closed</h1><p>The bridge over the Lohe has been closed since Monday. Engineers found "
    "forty cracks in its northern pillar, and the town expects half a year of works. The ferry leaves every ten minutes now, and still "
    "people queue as far as the road.</p><p>Mayor Ada Kern says that nobody could have known. The report that this newspaper has seen "
    "tells another story: engineers had warned three years ago, and twice the inspection was put off.</p>"
)

#: The kind → (code, the page).
WALLS: dict[str, tuple[str, str]] = {
    "a challenge of Cloudflare": (
        "blocked",
        _page(
            "Just a moment...",
            "<div class='main-wrapper'><h1>news.example</h1><h2>Verifying you are human. This may take a few seconds.</h2><p>news.example needs "
            "to review the security of your connection before proceeding. Verification is taking longer than expected. Check your Internet "
            "connection and refresh the page if the issue persists.</p><noscript>Enable JavaScript and cookies to continue</noscript>"
            "<script src='/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1'></script><div>Ray ID: 8f1c2d3e4a5b6c7d</div>"
            "<div>Performance &amp; security by Cloudflare</div></div>",
            "<meta http-equiv='refresh' content='390'><meta name='robots' content='noindex,nofollow'>",
        ),
    ),
    "a block of Cloudflare": (
        "blocked",
        _page(
            "Attention Required! | Cloudflare",
            "<div id='cf-wrapper'><h1>Sorry, you have been blocked</h1><h2>You are unable to access news.example</h2><h2>Why have I been "
            "blocked?</h2><p>This website is using a security service to protect itself from online attacks. The action you just performed "
            "triggered the security solution. There are several actions that could trigger this block including submitting a certain word "
            "or phrase, a SQL command or malformed data.</p><h2>What can I do to resolve this?</h2><p>You can email the site owner to let "
            "them know you were blocked. Please include what you were doing when this page came up and the Ray ID found at the bottom of "
            "this page.</p></div>",
        ),
    ),
    "a robot check of a shop": (
        "blocked",
        _page(
            "Robot Check",
            "<div class='a-box'><h4>Enter the characters you see below</h4><p>Sorry, we just need to make sure you're not a robot. For best "
            "results, please make sure your browser is accepting cookies.</p><form method='get' action='/errors/validateCaptcha'><h4>Type the "
            "characters you see in this image:</h4><img src='/captcha/abc.jpg'><input name='field-keywords'><button>Continue shopping</button>"
            "</form><p>Conditions of Use. Privacy Policy. To discuss automated access to our data please write to us, and we will be glad to "
            "tell you of our interfaces.</p></div>",
        ),
    ),
    "a robot check of a newspaper": (
        "blocked",
        _page(
            "news.example - Are you a robot?",
            "<section><h3>We've detected unusual activity from your computer network</h3><p>To continue, please click the box below to let us "
            "know you're not a robot.</p><div id='px-captcha'></div><h3>Why did this happen?</h3><p>Please make sure your browser supports "
            "JavaScript and cookies and that you are not blocking them from loading. For more information you can review our Terms of Service "
            "and Cookie Policy.</p><h3>Need Help?</h3><p>For inquiries related to this message please contact our support team and provide "
            "the reference ID below.</p></section>",
        ),
    ),
    "a soft 404": (
        "not_found",
        _site(
            "Page not found",
            "<h1>Sorry, we can’t find that page</h1><p>The page you were looking for may have been moved, or it may no longer exist. Please "
            "check the address for typing errors, or use the search at the top of this page. You can also begin again at our front page.</p>"
            "<h2>Most read</h2><ul><li><a href='/a'>The council votes on the new tram</a></li><li><a href='/b'>Velm wins the cup</a></li></ul>"
            "<p>If you think that something is broken, write to our readers' desk and tell us which link you followed.</p>",
        ),
    ),
    "a soft 404 in German": (
        "not_found",
        _site(
            "Fehler 404",
            "<h1>Seite nicht gefunden</h1><p>Die von Ihnen gewünschte Seite existiert leider nicht oder nicht mehr. Möglicherweise haben Sie sich "
            "bei der Eingabe der Adresse vertippt, oder der Artikel wurde aus rechtlichen Gründen entfernt. Nutzen Sie gern die Suche oder "
            "kehren Sie zur Startseite zurück.</p><p>Hier finden Sie die meistgelesenen Artikel des Tages und unsere Ressorts im Überblick.</p>",
            lang="de",
        ),
    ),
    "a page of consent": (
        "consent",
        _page(
            "Before you continue to Example News",
            "<div><h1>Before you continue</h1><p>We use cookies and data to deliver and maintain our services, track outages and protect against "
            "spam, fraud and abuse, and measure audience engagement. If you choose to accept all, we will also use cookies and data to develop "
            "and improve new services, deliver and measure the effectiveness of ads, and show personalized content, depending on your "
            "settings.</p><form><button>Reject all</button><button>Accept all</button></form><p>Select “More options” to see additional "
            "information, including details about managing your privacy settings. You can also change your choice at any time.</p></div>",
        ),
    ),
    "a page of consent in German": (
        "consent",
        _page(
            "Zustimmung | Tageblatt",
            "<div><h1>Mit Werbung weiterlesen</h1><p>Besuchen Sie unsere Seite wie gewohnt mit Werbung und Tracking. Details zum Tracking finden Sie "
            "in der Datenschutzerklärung und im Privacy Center. Ihre Zustimmung ist jederzeit widerrufbar.</p><button>Akzeptieren und "
            "weiter</button><h2>Tageblatt Pur</h2><p>Nutzen Sie unser Angebot ganz ohne Werbetracking für 2,99 Euro im Monat. Wir und unsere 187 "
            "Partner verarbeiten personenbezogene Daten wie Ihre IP-Adresse, um Anzeigen und Inhalte zu personalisieren und deren Leistung zu "
            "messen.</p></div>",
            lang="de",
        ),
    ),
    "a paywall in English": (
        "paywall",
        _site(
            "Why the bridge of Velm stays closed",
            f"{_TEASER_EN}<div class='offer'><h2>Keep reading with a free trial</h2><p>Subscribe to continue reading. Get unlimited access to all of our "
            "articles for $1 a week, cancel any time. Already a subscriber? Sign in.</p></div></article>",
        ),
    ),
    "a paywall in German": (
        "paywall",
        _site(
            "Warum die Brücke von Velm gesperrt bleibt",
            f"{_TEASER_DE}<div><h2>Weiterlesen mit Tageblatt Plus</h2><p>Dieser Artikel ist exklusiv für Abonnenten. Lesen Sie alle Inhalte im ersten "
            "Monat für 1 Euro, danach 9,99 Euro im Monat und jederzeit kündbar. Sie haben bereits ein Abo? Jetzt anmelden.</p></div></article>",
            lang="de",
        ),
    ),
    "a paywall in French": (
        "paywall",
        _site(
            "Pourquoi le pont de Velm reste fermé",
            f"{_TEASER_FR}<section><p>Il vous reste 78,4 % de cet article à lire. La suite est réservée aux abonnés.</p><p>Profitez de votre accès illimité "
            "dès 1 € le premier mois, sans engagement. Déjà abonné ? Se connecter</p></section></article>",
            lang="fr",
        ),
    ),
    "a paywall in Spanish": (
        "paywall",
        _site(
            "Por qué el puente de Velm sigue cerrado",
            f"{_TEASER_ES}<div><h3>Suscríbete para seguir leyendo</h3><p>Lee sin límites por 1 euro al mes durante el primer trimestre. Contenido exclusivo "
            "para suscriptores, con todos los reportajes y boletines del periódico. ¿Ya eres suscriptor? Inicia sesión</p></div></article>",
            lang="es",
        ),
    ),
    "a login": (
        "paywall",
        _site(
            "Log in",
            "<h1>Welcome back</h1><p>Log in or create a free account to read this story. With an account you can follow topics, save articles for "
            "later and get our morning letter, and it takes less than a minute.</p><form method='post'><label>E-mail <input type='email'></label>"
            "<label>Password <input type='password' name='password'></label><button>Log in</button></form><p>Forgotten your password? We will send "
            "you a link by e-mail. New here? Registration is free, and you can delete your account at any time.</p>",
        ),
    ),
    "a page that wants scripts": (
        "blocked",
        _page(
            "Daily Example",
            "<div id='root'><h1>JavaScript is required</h1><p>You need to enable JavaScript to run this app. This site relies on scripts to show its "
            "pages, and your browser does not support them or has them switched off. Please enable JavaScript in the settings of your browser "
            "and reload the page. If that does not help, try another browser or disable extensions that block scripts.</p></div>",
        ),
    ),
    "a block by country": (
        "blocked",
        _page(
            "Unavailable",
            "<div><h1>451: Unavailable due to legal reasons</h1><p>We recognize you are attempting to access this website from a country belonging to "
            "the European Economic Area (EEA) including the EU which enforces the General Data Protection Regulation (GDPR) and therefore access "
            "cannot be granted at this time. For any issues, contact webmaster@news.example or call us.</p></div>",
        ),
    ),
    "a refusal of a firewall": (
        "blocked",
        _page(
            "Access Denied",
            '<h1>Access Denied</h1><p>You don\'t have permission to access "http://news.example/a-story" on this server.</p><p>Reference '
            "#18.6d5e1160.1700000000.3a2b1c0d</p><p>Your request was judged to be automated. If you believe that this is a mistake, please contact "
            "the administrator of the site and quote the reference above together with the time of your visit.</p>",
        ),
    ),
}
