package corpus

// moreSentences go on where sentences ends: staying, eating, buying, seeing
// and feeling.
const moreSentences = `
# Lodging
{me} would like {a room} with {with}. = {me} {me:möchte|möchte|möchten} {einen room} mit {with}.
{me} would like to book {a room} for {few} nights. = {me} {me:möchte|möchte|möchten} {einen room} für {few} Nächte buchen.
Do you still have {a room} with {with}? = Haben Sie noch {einen room} mit {with}?
How much is {a room} with {with} per night? = Was kostet {ein room} mit {with} pro Nacht?
Do you have {a room} free {when}? = Haben Sie {when} {einen room} frei?
{me} {me:have|has|have} booked {a room} from the {early} to the {late} of {month}. = {me} {me:habe|hat|haben} {einen room} vom {early} bis zum {late} {month} gebucht.
We have booked {a room} with {with} for {few} nights. = Wir haben {einen room} mit {with} für {few} Nächte gebucht.
We are arriving on the {date} of {month}. = Wir kommen am {date} {month} an.
We will arrive on {weekday} at about {hour}. = Wir werden am {weekday} gegen {hour} ankommen.
My room number is {digits}. = Meine Zimmernummer ist {digits}.
Room {digits} is on {the ordinal floor}. = Zimmer {digits} liegt {im ordinal floor}.
The key to room {digits}, please. = Den Schlüssel für Zimmer {digits}, bitte.
{the device} is not working. = {der device} funktioniert nicht.
{the device} in room {digits} is not working. = {der device} in Zimmer {digits} funktioniert nicht.
{the fixture} {where} is broken. = {der fixture} {where} ist kaputt.
There is no {linen} {where}. = Es gibt {where} {keinen linen}.
There are no {+ linen} {where}. = Es gibt {where} {keinen+ linen}.
We need {few} more {+ linen}. = Wir brauchen noch {few} {akk+ linen}.
Could you bring me {a linen}, please? = Könnten Sie mir bitte {einen linen} bringen?
{the room} is too {roombad}. = {der room} ist zu {roombad}.
{the room} is very {roomgood}. = {der room} ist sehr {roomgood}.
We are looking for {a roomgood room} in {city}. = Wir suchen {einen roomgood room} in {city}.
Do you have {a roomother room}? = Haben Sie {einen roomother room}?
Is there {a amenity} in the room? = Gibt es im Zimmer {einen amenity}?
When is {meal} served? = Wann gibt es {meal}?
{meal} is at {hour}. = {meal} gibt es um {hour}.
Is {meal} included in the price of {the room}? = Ist {der meal} im Preis {des room} inbegriffen?
Is {meal} for {few} people included in the price? = Ist {der meal} für {few} Personen im Preis inbegriffen?
Is {meal} included in the price? = Ist {der meal} im Preis inbegriffen?
Please wake me at {hour}. = Wecken Sie mich bitte um {hour}.
Could you wake us on {weekday} at {hour}? = Könnten Sie uns am {weekday} um {hour} wecken?
We have to leave the room by {hour}. = Wir müssen das Zimmer bis {hour} verlassen.
We are staying until {weekday}. = Wir bleiben bis {weekday}.
We would like to stay {few} nights longer. = Wir möchten {few} Nächte länger bleiben.
Can I have the bill for room {digits}? = Kann ich die Rechnung für Zimmer {digits} haben?
We stay at this hotel every {season}. = Wir wohnen jeden {season} in diesem Hotel.
There are {number} rooms in the hotel. = Im Hotel gibt es {number} Zimmer.
Our group has {number} people. = Unsere Gruppe hat {number} Personen.

# Food
I would like {the dish}, please. = Ich möchte bitte {den dish}.
I would like {the dish} without {free}. = Ich möchte {den dish} ohne {free}.
I will have {the dish} and {a drink}. = Ich nehme {den dish} und {einen drink}.
Could you bring us {the dish} and {a drink}, please? = Könnten Sie uns bitte {den dish} und {einen drink} bringen?
{a drink}, please. = {einen drink}, bitte.
Does {the dish} contain {free}? = Enthält {der dish} {free}?
{the dish} is too {foodbad}. = {der dish} ist zu {foodbad}.
{the dish} was {foodgood}. = {der dish} war {foodgood}.
The food here is {foodgood}. = Das Essen hier ist {foodgood}.
How much is {the dish}? = Was kostet {der dish}?
{who} {who:do|does|do} not eat {eat}. = {who} {who:esse|isst|essen} {keinen eat}.
{who} {who:like|likes|like} {stuff}. = {who} {who:mag|mag|mögen} {stuff}.
{who} would like some {stuff}. = {who} {who:möchte|möchte|möchten} etwas {stuff}.
My {child} only eats {eat}. = {mein child} isst nur {eat}.
Could you pass me {the stuff}, please? = Könnten Sie mir bitte {den stuff} geben?
There is no {stuff} on the table. = Auf dem Tisch ist {kein stuff}.
{who} {who:drink|drinks|drink} {morning} in the morning. = {who} {who:trinke|trinkt|trinken} morgens {morning}.
{who} would like to drink {a drink}. = {who} {who:möchte|möchte|möchten} {einen drink} trinken.
A table for {few} people, please. = Einen Tisch für {few} Personen, bitte.
I would like to reserve a table for {few} people at {hour}. = Ich möchte einen Tisch für {few} Personen um {hour} reservieren.
We have reserved a table for {few} people. = Wir haben einen Tisch für {few} Personen reserviert.
What do you recommend? = Was empfehlen Sie?
The bill, please. = Die Rechnung, bitte.

# Market
I would like {packing} {+ fruit}, please. = Ich möchte bitte {packing} {akk+ fruit}.
How much does a kilo of {+ fruit} cost? = Wie viel kostet ein Kilo {nom+ fruit}?
{few} {+ fruit}, please. = {few} {akk+ fruit}, bitte.
Are {the+ fruit} fresh? = Sind {der+ fruit} frisch?
{these+ fruit} are not fresh. = {dieser+ fruit} sind nicht frisch.
{the+ fruit} cost {few} euros a kilo. = {der+ fruit} kosten {few} Euro das Kilo.
Do you have any {stuff}? = Haben Sie {stuff}?
Where can I buy {stuff}? = Wo kann ich {stuff} kaufen?
We still have to buy {stuff} and {stuff2}. = Wir müssen noch {stuff} und {stuff2} kaufen.
{who} {who:have|has|have} bought {stuff} and {+ fruit}. = {who} {who:habe|hat|haben} {stuff} und {akk+ fruit} gekauft.

# Shopping
How much is {this item}? = Was kostet {dieser item}?
How much do {these+ item} cost? = Was kosten {dieser+ item}?
How much does {the colour clothes} cost? = Wie viel kostet {der colour clothes}?
I am looking for {a colour clothes}. = Ich suche {einen colour clothes}.
Do you have {this clothes} in {incolour}? = Haben Sie {diesen clothes} in {incolour}?
{this clothes} is too {size}. = {dieser clothes} ist zu {size}.
Do you have {a other clothes}? = Haben Sie {einen other clothes}?
I will take {the colour clothes}. = Ich nehme {den colour clothes}.
May I try on {this clothes}? = Darf ich {diesen clothes} anprobieren?
{the new clothes} fits me very well. = {der new clothes} passt mir sehr gut.
{who} {who:need|needs|need} {a new clothes}. = {who} {who:brauche|braucht|brauchen} {einen new clothes}.
{who} {who:have|has|have} bought {a newitem item}. = {who} {who:habe|hat|haben} {einen newitem item} gekauft.
I am looking for a present for my {family}. = Ich suche ein Geschenk für {meinen family}.
I would like to buy {a newitem item} for my {family}. = Ich möchte {einen newitem item} für {meinen family} kaufen.
{the item} costs {few} euros. = {der item} kostet {few} Euro.
{the clothes} costs {number} euros. = {der clothes} kostet {number} Euro.
That comes to {number} euros. = Das macht {number} Euro.
{who} only {who:have|has|have} {number} euros left. = {who} {who:habe|hat|haben} nur noch {number} Euro.
{this item} is too expensive for me. = {dieser item} ist mir zu teuer.
{these+ item} are very {pretty}. = {dieser+ item} sind sehr {pretty}.
Do you sell {+ item}? = Verkaufen Sie {akk+ item}?
Where can I buy {+ item}? = Wo kann ich {akk+ item} kaufen?
I would like {few} {+ item}. = Ich möchte {few} {akk+ item}.
Where did you buy {this item}? = Wo haben Sie {diesen item} gekauft?
{which item} is cheaper? = {welcher item} ist billiger?
{which clothes} do you like best? = {welcher clothes} gefällt Ihnen am besten?
I like {the colour clothes} better. = {der colour clothes} gefällt mir besser.
Because it is {weather} today, {who} {who:am|is|are} wearing {a colour clothes}. = Weil es heute {weather} ist, {who:trage|trägt|tragen} {who} {einen colour clothes}.
{the shop} opens at {hour}. = {der shop} öffnet um {hour}.
{the shop} closes at {hour}. = {der shop} schließt um {hour}.
When does {the shop} open {weekdays}? = Wann öffnet {der shop} {weekdays}?
{the shop} is closed {weekdays}. = {der shop} ist {weekdays} geschlossen.
{the shop} is open from {open} to {close}. = {der shop} ist von {open} bis {close} geöffnet.
Is {the shop} open {when}? = Ist {der shop} {when} geöffnet?

# Sights
{who} would like to visit {the sight} {when}. = {who} {who:möchte|möchte|möchten} {when} {den sight} besichtigen.
{who} visited {the sight} {past}. = {who} {who:habe|hat|haben} {past} {den sight} besichtigt.
{the sight} in {city} is {sightis}. = {der sight} in {city} ist {sightis}.
I find {the sight} {opinion}. = Ich finde {den sight} {opinion}.
{me} liked {the sight} very much. = {der sight} hat {me:mir|ihm|uns} sehr gut gefallen.
We have seen {the view sight}. = Wir haben {den view sight} gesehen.
There is {a view sight} in {city}. = In {city} gibt es {einen view sight}.
{the sight} is {than} than {the sight2}. = {der sight} ist {than} als {der sight2}.
How old is {the sight}? = Wie alt ist {der sight}?
{the sight} is {digits} years old. = {der sight} ist {digits} Jahre alt.
The tour of {the sight} starts at {hour}. = Die Führung durch {den sight} beginnt um {hour}.
How much is the entry ticket for {the sight}? = Was kostet die Eintrittskarte für {den sight}?

# Weather
It is {weather} {place2be} today. = Heute ist es {place2be} {weather}.
It was {weather} {place2be} {past}. = {past} war es {place2be} {weather}.
It will be {weather} {place2be} {when}. = Es wird {when} {place2be} {weather}.
It will {fall} {place2be} {when}. = Es wird {when} {place2be} {fall}.
In {month} it is often {weather} in {country}. = Im {month} ist es in {country} oft {weather}.
In {season} it is {weather} {place2be}. = Im {season} ist es {place2be} {weather}.
How is the weather in {city}? = Wie ist das Wetter in {city}?
If it {falls}, we will stay in the hotel. = Wenn es {falls}, werden wir im Hotel bleiben.
Take an umbrella with you, because it will rain {when}. = Nehmen Sie einen Regenschirm mit, weil es {when} regnen wird.
It is {degrees} degrees {place2be}. = {place2be} sind es {degrees} Grad.
The sun rises at {hour}. = Die Sonne geht um {hour} auf.

# Time and numbers
What time is it? = Wie spät ist es?
It is {hour}. = Es ist {hour}.
It is already {hour}. = Es ist schon {hour}.
{the event} begins at {hour}. = {der event} beginnt um {hour}.
{the event} begins on {weekday} at {hour}. = {der event} beginnt am {weekday} um {hour}.
{the event} is on the {date} of {month}. = {der event} ist am {date} {month}.
{the event} lasts {number} minutes. = {der event} dauert {number} Minuten.
How long does {the event} last? = Wie lange dauert {der event}?
When does {the event} in {city} begin? = Wann beginnt {der event} in {city}?
Today is the {date} of {month}. = Heute haben wir den {date} {month}.
My {family} was born on the {date} of {month}. = {mein family} ist am {date} {month} geboren.
{who} {who:have|has|have} an appointment on {weekday} at {hour}. = {who} {who:habe|hat|haben} am {weekday} um {hour} einen Termin.
Can we meet on {weekday} at {hour}? = Können wir uns am {weekday} um {hour} treffen?
{who} will come back in {few} days. = {who} {who:werde|wird|werden} in {few} Tagen zurückkommen.
{who} waited {minutes} minutes in front of {the place}. = {who} {who:habe|hat|haben} {minutes} Minuten vor {dem place} gewartet.
{who} {who:get|gets|get} up at {hour} {weekdays}. = {who} {who:stehe|steht|stehen} {weekdays} um {hour} auf.
We have been waiting for {minutes} minutes. = Wir warten seit {minutes} Minuten.
My telephone number is {digits} {digits2}. = Meine Telefonnummer ist {digits} {digits2}.
The house number is {digits}. = Die Hausnummer ist {digits}.
Please count to {number}. = Zählen Sie bitte bis {number}.
We have seats {digits} and {digits2}. = Wir haben die Plätze {digits} und {digits2}.

# Health
My {body} hurts. = {mein body} tut weh.
Does your {body} hurt? = Tut Ihnen {der body} weh?
My {body} has been hurting for {few} days. = {mein body} tut seit {few} Tagen weh.
{who} {who:have|has|have} {ill}. = {who} {who:habe|hat|haben} {ill}.
{who} {who:have|has|have} had {ill} for {few} days. = {who} {who:habe|hat|haben} seit {few} Tagen {ill}.
Do you have something for {ill}? = Haben Sie etwas gegen {ill}?
{who} {who:am|is|are} allergic to {allergy}. = {who} {who:bin|ist|sind} allergisch gegen {allergy}.
{who} {who:need|needs|need} {a medicine}. = {who} {who:brauche|braucht|brauchen} {einen medicine}.
Take {couple} {+ remedy} {times}. = Nehmen Sie {times} {couple} {akk+ remedy}.
{who} {who:have|has|have} to take {couple} {+ remedy} {times}. = {who} {who:muss|muss|müssen} {times} {couple} {akk+ remedy} nehmen.
My {him} has broken his {limb}. = {mein him} hat sich {den limb} gebrochen.
My {her} has broken her {limb}. = {mein her} hat sich {den limb} gebrochen.
I need an appointment with the doctor on {weekday}. = Ich brauche am {weekday} einen Termin beim Arzt.
You should stay in bed for {few} days. = Sie sollten {few} Tage im Bett bleiben.
Is there a doctor here who speaks English? = Gibt es hier einen Arzt, der Englisch spricht?
`
