package main

// languages says, for each language that is told apart by its letters, in which files its text is.
// Fields: code, script, prior in bits, then the names in the three sources: the Universal Declaration
// of Human Rights (udhr), the Unicode CLDR's annotations (cldr), Firefox (firefox).
//
// The prior is what an answer in the language costs. It is for short texts: a word that is in English and
// in Asturian is English. Languages that have little text to learn from have a greater prior.
const languages = `
en Latn 0 udhr=eng cldr=en,en-001,en-AU,en-CA,en-GB,en-IN firefox=en-GB,en-CA
de Latn 0 udhr=deu_1996,deu_1901 cldr=de firefox=de
fr Latn 0 udhr=fra cldr=fr,fr-CA firefox=fr
es Latn 0 udhr=spa cldr=es,es-419,es-MX,es-US firefox=es-ES,es-MX
it Latn 0 udhr=ita cldr=it firefox=it
pt Latn 0 udhr=por_BR,por_PT cldr=pt,pt-PT firefox=pt-BR,pt-PT
nl Latn 0 udhr=nld cldr=nl firefox=nl
pl Latn 0 udhr=pol cldr=pl firefox=pl
sv Latn 0 udhr=swe cldr=sv firefox=sv-SE
da Latn 0 udhr=dan cldr=da firefox=da
nb Latn 0 udhr=nob cldr=no firefox=nb-NO
fi Latn 0 udhr=fin cldr=fi firefox=fi
cs Latn 0 udhr=ces cldr=cs firefox=cs
sk Latn 0 udhr=slk cldr=sk firefox=sk
hu Latn 0 udhr=hun cldr=hu firefox=hu
ro Latn 0 udhr=ron_2006,ron_1993 cldr=ro firefox=ro
tr Latn 0 udhr=tur cldr=tr firefox=tr
vi Latn 0 udhr=vie cldr=vi firefox=vi
id Latn 0 udhr=ind cldr=id firefox=id
hr Latn 0 udhr=hrv cldr=hr firefox=hr
ca Latn 0 udhr=cat cldr=ca,ca-ES-valencia firefox=ca,ca-valencia
nn Latn 1 udhr=nno cldr=nn firefox=nn-NO
sl Latn 0 udhr=slv cldr=sl firefox=sl
bs Latn 2 udhr=bos_latn cldr=bs
sr Latn 0 udhr=srp_latn cldr=sr-Latn firefox=sr
lt Latn 1 udhr=lit cldr=lt firefox=lt
lv Latn 1 udhr=lav cldr=lv firefox=lv
et Latn 1 udhr=est cldr=et firefox=et
sq Latn 1 udhr=als cldr=sq firefox=sq
ms Latn 0 udhr=mly_latn cldr=ms firefox=ms
tl Latn 1 udhr=tgl cldr=fil firefox=tl
sw Latn 2 udhr=swh cldr=sw,sw-KE
af Latn 1 udhr=afr cldr=af firefox=af
eu Latn 1 udhr=eus cldr=eu firefox=eu
gl Latn 0 udhr=glg cldr=gl firefox=gl
is Latn 1 udhr=isl cldr=is firefox=is
ga Latn 1 udhr=gle cldr=ga firefox=ga-IE
cy Latn 1 udhr=cym cldr=cy firefox=cy
mt Latn 2 udhr=mlt cldr=mt
eo Latn 2 udhr=epo firefox=eo
az Latn 1 udhr=azj_latn cldr=az firefox=az
uz Latn 1 udhr=uzn_latn cldr=uz firefox=uz
la Latn 3 udhr=lat,lat_1
ia Latn 4 udhr=ina cldr=ia firefox=ia
ast Latn 2 udhr=ast cldr=ast firefox=ast
oc Latn 2 udhr=oci_1,oci_2,oci_3,oci_4 cldr=oc firefox=oc
br Latn 3 udhr=bre cldr=br firefox=br
gd Latn 2 udhr=gla cldr=gd firefox=gd
fo Latn 2 udhr=fao cldr=fo
fy Latn 3 udhr=fri firefox=fy-NL
lb Latn 3 udhr=ltz cldr=lb
hsb Latn 3 udhr=hsb cldr=hsb firefox=hsb
kab Latn 3 cldr=kab firefox=kab
ku Latn 3 udhr=kmr cldr=ku
rm Latn 4 udhr=roh,roh_rumgr cldr=rm firefox=rm
ht Latn 3 udhr=hat_popular,hat_kreyol
ha Latn 3 udhr=hau_NG,hau_NE cldr=ha
ig Latn 3 udhr=ibo cldr=ig
yo Latn 3 udhr=yor cldr=yo
zu Latn 3 udhr=zul cldr=zu
xh Latn 3 udhr=xho cldr=xh firefox=xh
so Latn 3 udhr=som cldr=so
tn Latn 4 udhr=tsn cldr=tn
rw Latn 4 udhr=kin cldr=rw
mg Latn 3 udhr=plt
jv Latn 4 udhr=jav cldr=jv
tk Latn 3 udhr=tuk_latn cldr=tk
ru Cyrl 0 udhr=rus cldr=ru firefox=ru
uk Cyrl 0 udhr=ukr cldr=uk firefox=uk
be Cyrl 1 udhr=bel cldr=be firefox=be
bg Cyrl 0 udhr=bul cldr=bg firefox=bg
mk Cyrl 0 udhr=mkd cldr=mk firefox=mk
sr Cyrl 0 udhr=srp_cyrl cldr=sr firefox=sr
kk Cyrl 1 udhr=kaz cldr=kk firefox=kk
ky Cyrl 1 udhr=kir cldr=ky
mn Cyrl 1 udhr=khk cldr=mn
tg Cyrl 1 udhr=tgk cldr=tg firefox=tg
tt Cyrl 1 udhr=tat cldr=tt
ba Cyrl 2 cldr=ba
cv Cyrl 2 udhr=chv cldr=cv
uz Cyrl 2 udhr=uzn_cyrl
ar Arab 0 udhr=arb cldr=ar,ar-SA firefox=ar
fa Arab 0 udhr=pes_1,pes_2 cldr=fa firefox=fa
ur Arab 0 udhr=urd,urd_2 cldr=ur firefox=ur
ps Arab 1 udhr=pbu cldr=ps
sd Arab 1 cldr=sd
ug Arab 1 udhr=uig_arab cldr=ug
hi Deva 0 udhr=hin cldr=hi firefox=hi-IN
mr Deva 0 udhr=mar cldr=mr firefox=mr
ne Deva 0 udhr=nep cldr=ne firefox=ne-NP
sa Deva 2 udhr=san cldr=sa
bn Beng 0 udhr=ben cldr=bn firefox=bn
as Beng 1 cldr=as
he Hebr 0 udhr=heb cldr=he firefox=he
yi Hebr 1 udhr=ydd
am Ethi 0 udhr=amh cldr=am
ti Ethi 1 udhr=tir cldr=ti
bo Tibt 0 udhr=bod
dz Tibt 0 udhr=dzo
zh-Hans Hani 0 udhr=cmn_hans cldr=zh firefox=zh-CN
zh-Hant Hani 0 udhr=cmn_hant cldr=zh-Hant,zh-Hant-HK firefox=zh-TW
ja Hani 2 udhr=jpn cldr=ja firefox=ja
`

// variants are declarations that are no text in an unknown language: forms of languages that the table
// has, or languages that only their country tells from one of the table.
var variants = []string{
	"cnr", "bos_cyrl", "ron_1953", "por_BR", "por_PT", "azj_cyrl", "uig_latn", "tuk_cyrl", "src", "vie_han", "mly_arab", "cmn_hans", "cmn_hant",
	"roh_puter", "roh_surmiran", "roh_sursilv", "roh_sutsilv", "roh_vallader", "hau_3", "jpn_osaka", "jpn_tokyo", "tgl_tglg", "swb",
	"pcm", "sco", "flm", "cjk_AO", "jav_java", "gsw1", "nds",
}
