"""English verbs whose past no rule tells: a question asks "Where did it sit?", the document says "It sat"."""

_FORMS = (
    "begin began begun", "bend bent", "bind bound", "bite bit bitten", "bleed bled", "blow blew blown",
    "break broke broken", "breed bred", "bring brought", "build built", "burn burnt", "buy bought", "catch caught",
    "choose chose chosen", "cling clung", "creep crept", "deal dealt", "dig dug", "draw drew drawn",
    "drink drank drunk", "drive drove driven", "eat ate eaten", "fall fell fallen", "feed fed", "feel felt",
    "fight fought", "find found", "flee fled", "fly flew flown", "forbid forbade forbidden",
    "forget forgot forgotten", "freeze froze frozen", "grow grew grown", "hang hung", "hear heard", "hide hid hidden",
    "hold held", "keep kept", "know knew known", "lay laid", "lead led", "lean leant", "leave left", "lend lent",
    "lie lay lain", "light lit", "lose lost", "mean meant", "meet met", "pay paid", "ride rode ridden",
    "ring rang rung", "rise rose risen", "run ran", "see saw seen", "seek sought", "sell sold", "send sent",
    "shake shook shaken", "shine shone", "shoot shot", "show showed shown", "shrink shrank shrunk", "sing sang sung",
    "sink sank sunk", "sit sat", "sleep slept", "slide slid", "speak spoke spoken", "spend spent", "spin spun",
    "stand stood", "steal stole stolen", "stick stuck", "sting stung", "strike struck stricken", "swear swore sworn",
    "sweep swept", "swim swam swum", "swing swung", "teach taught", "tear tore torn", "think thought",
    "throw threw thrown", "understand understood", "wake woke woken", "wear wore worn", "weave wove woven", "win won",
    "wind wound", "write wrote written",
)  # fmt: skip
VERBS = tuple(frozenset(forms.split()) for forms in _FORMS)
