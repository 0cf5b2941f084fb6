"""Writes test/fixtures/chat/fragments.json: pieces of templates, and what jinja2 makes of them as transformers sets it up.

    pip install transformers jinja2
    python3 test/oracle/jinja_fragments.py

A text of null says that jinja2 raises. The local time is fixed, so that dates can be compared.
"""

import datetime
import json
import pathlib

import jinja2
import transformers
from transformers.utils import chat_template_utils

NOW = datetime.datetime(2024, 2, 5, 7, 8, 9)
VARIABLES = {
    "a": 3,
    "b": -7,
    "big": 123456789012345678901234567890,
    "f": 2.5,
    "zero": 0,
    "t": True,
    "n": None,
    "s": "Hello, World",
    "empty": "",
    "accents": "Caffè così\u00a0è",
    "emoji": "a😀b𝄞c",
    "quotes": "it's \"so\"",
    "lines": "one\ntwo\r\n\nthree\u2028four",
    "spaces": "  \t padded \n ",
    "html": "<b>&amp;</b>",
    "l": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "mixed": [1, "a", None, True, 2.5, [1], {"k": "v"}],
    "nested": [[1, [2, {"x": [None, False]}]], "q'uote"],
    "d": {"one": 1, "Two": 2, "three": None, "items": "shadow"},
    "users": [
        {"name": "Ada", "age": 36, "city": "London", "tags": ["x", "y"]},
        {"name": "bob", "age": 25, "city": "paris", "tags": []},
        {"name": "Cyd", "age": 36, "city": "London"},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Ciao"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"x": 1, "y": None}}}]},
        {"role": "tool", "content": "{\"r\": 1}"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nDone "},
    ],
}

# Expressions, two spaces apart: values as Python writes them.
WRITTEN = r"""
True  False  None  true  false  none  1  -1  0  1.0  2.5  -0.0  1e16  1e15  1.5e300  1e-5  0.0001  123456789.125  1_000  0x1F  0b101  0o17  1e5  1E-3  .5
'a'  "b"  "it's"  'say "hi"'  'both \' and \"'  "tab\tnew\nline"  "\x41\u00e8\U0001F600"  "back\\slash"  "\101\0"  "unknown \q"  'a' "b" 'c'  "\é"  "\x4"
[]  [1]  [1,2,3]  [1,]  (1,)  ()  (1,2)  {}  {'a':1}  {1:2,'b':[3]}  {'a':1,'a':2}  [None,True,'x',1.0]  [[],[[]]]  ('a',['b',('c',)])
big  a  b  f  t  n  s  empty  accents  emoji  quotes  lines  spaces  l  mixed  nested  d  users  messages[2]  range(3)  range(1,10,3)  range(0)  d.items()  d.keys()  d.values()
missing  [missing]  {'x':missing}  namespace(a=1,b='c')  [1,2]|first  ['it\'s',"so"]  ["\x00\x1f\x7f\x80\xa0\u200b\ue000"]  2**100  -2**63  10**20
1==1.0  {True:'t',1:'o'}  {1:'a',1.0:'b'}  5//2  5/2  4/2  5%3  [1,2]+[3]  (1,)+(2,)  'ab'*3  3*'ab'  [0]*3  'a'~1~None~True~1.0~[1]~{'k':'v'}~missing
"""

OPERATORS = r"""
1+2  1+2.0  1.5+True  a-b  a*b  a/b  a//b  a%b  b%a  b//a  -b%a  7.5//2  7.5%2  -7.5//2  -7.5%2  7%-3  7.0%-3  2**10  2**-1  2**0.5  (-2)**3  -2**2  2**3**2  1/3  10/4  1e308*10
0.1+0.2  big+1  big*big  big//7  big%1000  -big//7  1/0  1//0  1%0  1.0/0  0**0  0.0**0  -a  +a  -f  not a  not empty  a and b  empty or 'x'  n or zero
a and zero or 'last'  'a'+'b'  'a'+1  1+'a'  [1]+(2,)  'a'-'b'  'a'*2.0  'a'*-1  [1]*0  n+1  missing+1  1+missing  missing*2  -missing  -'a'  {}+{}
'%s'%1  '%s %s'%(1,'a')  '%d'%3.9  '%5d|'%42  '%-5d|'%42  '%05d'%42  '%+d'%5  '%x'%255  '%X'%255  '%#x'%255  '%o'%8  '%.2f'%1.005  '%.0f'%2.5  '%.0f'%3.5  '%8.3f|'%3.14159
'%e'%12345.678  '%.0e'%2.5  '%g'%0.00001  '%g'%1234567  '%g'%100000  '%.3g'%1234.5  '%s'%[1,2]  '%r'%'a'  '%r'%"it's"  '%%'  '%s%%'%5  '%(x)s-%(y)d'%{'x':1,'y':2}  '%s'%n  '%s'%t
'%s'%missing  '%.2s'%'abcdef'  '%5s|'%'ab'  '%-5s|'%'ab'  '%s'%(1,2)  '%s %s'%1  '%d'%'a'  '%i'%7  '%u'%7  '%s'%d  '%q'%1  '%*d'%(5,42)  'x%'%1  '%(a)s'%1  '%f'%True
1<2  1<2<3  1<3<2  1==1  1==True  1==1.0  'a'=='a'  'a'<'b'  'B'<'a'  'é'>'z'  '😀'>'\uffee'  [1,2]<[1,3]  [1]<[1,0]  (1,2)<(1,3)  [1]==(1,)  1<'a'  n<1  n==none  missing==missing  missing==n  missing<1
[1,'a']==[1,'a']  {'a':1}=={'a':1.0}  {'a':1,'b':2}=={'b':2,'a':1}  1!=2  'a'!='a'  2 in [1,2]  4 not in l  'ell' in s  'x' in s  '' in s  'one' in d  'k' in n  1 in 'abc'  1 in missing  missing in l  missing in 'abc'
1.0 in l  True in [1]  n in mixed  [] in [[]]  2 in range(5)  9 in range(5)  1 in d.values()  ('one',1) in d.items()  'one' in d.keys()
1 if t else 2  (1 if empty)  (1 if empty) is defined  1 if 0 else 2 if 0 else 3  not not a  not 1==2  1 < 2 and 2 < 3  a == 3 or missing.x
"""

SUBSCRIPTS = r"""
l[0]  l[-1]  l[3]  l[-4]  l[True]  l['x']  l[1.0]  l[n]  l[missing]  l[:2]  l[1:]  l[-2:]  l[::-1]  l[::2]  l[5:]  l[2:0]  l[2:0:-1]  l[:-1]  l[::0]  l['a':]  l[1:n]  (1,2,3)[1:]  s[0]  s[-1]  s[99]  s[1:4]  s[::-1]  s[:-3]  s[::3]
emoji[1]  emoji[1:3]  emoji[::-1]  emoji[-2]  emoji|length  emoji[:2]  empty[0]  range(5)[2]  range(5)[-1]  range(5)[9]  d['one']  d['none']  d.one  d.missing  d.Two  d['items']  d.items  d.get('one')  d.get('x')  d.get('x',5)  d.get('three')  d.get()
d.three  d['three']  d[1]  d[[1]]  {1:'a'}[True]  {'a':{'b':{'c':1}}}.a.b.c  missing.x  missing['x']  missing[0]  missing[:1]  missing()  n.x  n['x']  n[0]  a.x  a[0]  a[:1]  d[:1]  d.one.two  s.x  s['x']  s[0].x  users[0].name  users[0]['name']  users[9]  users[9].name
users[0].tags[1]  messages[-1].role  messages[0]['content'][0]  l.append  l.append(1)  d.pop('one')  d.update({})  d.setdefault  l.index(2)  l.index(9)  l.count(1)  (1,1).count(1)  l.copy()  d.copy()  l.x  d.__class__  s.__class__  s._x  ''.__class__.__mro__
users[0].get('age')  d.keys()|list  d.values()|list  d.items()|list|last  d.items()|length  l.0  users.0.name  d["o"~"ne"]  l[a-2]  l[l[1]]  [l,s][0][1]  l[0:1][0]  'abc'.upper()[1]  ('a','b')[1]  'x'.join(['a','b'])[0]  f.is_integer()  (2.0).is_integer()
"""

# Methods of str, on several texts.
METHODS = r"""
upper()  lower()  title()  capitalize()  swapcase()  strip()  lstrip()  rstrip()  strip('Hd')  lstrip('He')  rstrip('dl')  strip('')  strip(none)  split()  split(',')  split('l')  split('l',1)  split(none,1)  split('l',maxsplit=1)  split(sep='o')  split('zz')  split('')
rsplit('l',1)  rsplit()  rsplit(none,1)  splitlines()  splitlines(true)  splitlines(keepends=True)  replace('l','L')  replace('l','L',1)  replace('','-')  replace('','-',3)  replace('zz','y')  replace('l','')  replace('l')  startswith('He')  startswith(('x','He'))  startswith('')
startswith('l',2)  startswith('l',2,3)  startswith(1)  endswith('ld')  endswith(('x','d'))  endswith('x')  find('o')  find('zz')  find('')  rfind('o')  index('o')  index('zz')  rindex('l')  count('l')  count('')  count('ll')  isdigit()  isalpha()  isalnum()  isspace()  isupper()  islower()
istitle()  isdecimal()  isnumeric()  isascii()  center(20)  center(21,'*')  ljust(16,'.')  rjust(16)  zfill(16)  center(2)  partition(',')  partition('zz')  rpartition('l')  removeprefix('He')  removesuffix('ld')  removeprefix('x')  join(['a','b'])  join('xyz')  join([1])  join([])  format()  nothing()  strip(1)  split(1)  upper(1)  center('a')
"""
TEXTS = ["s", "spaces", "accents", "lines", "emoji", "empty", "'42'", "'ǆ ß ﬁ OΣ they\\'re x-y'"]

CALLS = r"""
'{} {}'.format(1,'a')  '{0}{1}{0}'.format('a','b')  '{x}-{y}'.format(x=1,y=n)  '{:>5}|'.format('a')  '{:<5}|'.format('a')  '{:^5}|'.format('a')  '{:*^7}'.format('a')  '{:05d}'.format(42)  '{:.2f}'.format(3.14159)  '{:,}'.format(1234567)  '{:_}'.format(1234567)
'{:x}'.format(255)  '{:#x}'.format(255)  '{:b}'.format(5)  '{:e}'.format(12345.6789)  '{:g}'.format(0.0001)  '{!r}'.format('a')  '{!s}'.format(1)  '{0.name}'.format(users[0])  '{0[name]}'.format(users[0])  '{[0]}'.format(l)  '{{}}'.format()  '{'.format()  '}'.format()  '{}'.format()  '{:d}'.format('a')  '{:s}'.format(1)
'{:5}|'.format(1)  '{:5}|'.format('a')  '{:+}'.format(5)  '{:.3}'.format('abcdef')  '{}'.format(t)  '{:>8.2f}|'.format(2.5)  '{:,.2f}'.format(1234567.891)  '{}'.format([1,'a'])  '{}'.format(missing)  '{x}'.format(**{'x':1})  '{}{}'.format(*['a','b'])  '{:q}'.format(1)  '{a.b}'.format(a={'b':2})
"a,b,c".split(",")|join("-")  " a b ".split(" ")  "a\tb\nc".split()  "aXbXc".rsplit("X",1)[0]  "<think>x</think>y".split("</think>")[-1].lstrip("\n")  "\n\nabc\n".strip("\n")  "x".join("abc")  "abc".replace("b","[b]")|upper  "aaa".replace("aa","b")  "ababab".count("aba")  "abcabc".rfind("bc")
"é".upper()  "ß".upper()  "İ".lower()|length  "ΑΣ".lower()  "x"*0  dict(a=1,b=2)  dict([('a',1)])  dict({'a':1},b=2)  dict(1)  dict()  range(3)|list  range(5,1,-2)|list  range(2,1)|list  range(0,10,0)  range(1.5)  range()  range('a')  range(100001)  range(3)|length  range(true)|list
strftime_now("%Y-%m-%d")  strftime_now("%d %b %Y")  strftime_now("%A, %B %d")  strftime_now("%H:%M:%S %p %I")  strftime_now("%y %j %U %W %w %u %a %e %V %G")  strftime_now("%c|%x|%X|%D|%F|%T|%R|%r|%h|%n|%t|%C|%%")  strftime_now("%-d/%-m %k|%l|%_d|%P|%^a|%z|%Z|%f")  strftime_now()  strftime_now(1)
namespace(a=1).a  namespace(a=1).b  namespace({'a':1}).a  namespace(_x=1)  namespace().x  cycler('a','b').next()  cycler()  joiner('|')()  joiner()  raise_exception('no')  raise_exception()  a()  s()  n()  'a'()  l.index()  dict(**{'a':1})  dict(*[[('a',1)]])
"""

FILTERS = r"""
b|abs  f|abs  t|abs  s|abs  s|capitalize  s|upper  s|lower  accents|upper  s|title  'hello-world (foo) [bar]'|title  quotes|title  s|trim  spaces|trim  'xxaxx'|trim('x')  missing|trim  n|trim  a|trim  missing|upper  n|upper  l|upper  s|center(20)|length  s|center  n|string  d|string  missing|string  a|string  s|string
l|length  s|length  d|length  missing|length  n|length  a|length  s|count  l|count  (1,2)|length  d.items()|length  l|first  l|last  []|first  []|last  s|first  s|last  d|first  d|last  missing|first  missing|last  n|first  a|last  l|list  s|list  d|list  n|list  missing|list  d.items()|list  a|list
l|join  l|join(',')  mixed|join('|')  words|join(d=';')  users|join(',',attribute='name')  n|join  missing|join(',')  s|join('-')  d|join(',')  l|join(1)  l|join(n)  5|join  l|sort  l|sort(reverse=true)  l|sort(true)  words|sort  words|sort(case_sensitive=true)  users|sort(attribute='age')|map(attribute='name')|list  users|sort(attribute='age,name')|map(attribute='name')|list  users|sort(attribute='city',reverse=true)|map(attribute='name')|list
mixed|sort  d|sort  missing|sort  [[2],[1,5],[1]]|sort  [n,n]|sort  [1,2.5,true]|sort  d|dictsort  d|dictsort(true)  d|dictsort(by='value')  {'b':1,'a':2}|dictsort(false,'value')  {'b':1,'a':2}|dictsort(reverse=true)  d|dictsort(by='x')  l|dictsort  missing|dictsort  d|items|list  missing|items|list  n|items|list  l|items|list
l|map('string')|list  words|map('upper')|list  words|map('replace','p','P')|join(',')  users|map(attribute='name')|join(',')  users|map(attribute='tags')|list  users|map(attribute='tags',default='-')|list  users|map(attribute='tags.0')|list  missing|map('upper')|list  n|map('upper')|list  l|map|list  l|map('nothing')|list  l|map('upper')  l|map('abs')|first  [1,'a']|map('abs')|first  [1,'a']|map('abs')|list  words|map('length')|sum  words|map('trim','p')|list  l|map(attribute=0)|list
l|select('odd')|list  l|select|list  [0,1,'',n]|select|list  l|reject('odd')|list  l|select('>',1)|list  l|select('divisibleby',3)|list  l|select('gt',1)|list  l|select('in',[1,2])|list  l|select('nothing')|list  mixed|select('string')|list  mixed|reject('none')|list  users|selectattr('tags')|map(attribute='name')|list  users|selectattr('age','equalto',36)|map(attribute='name')|list  users|rejectattr('age','==',36)|map(attribute='name')|list  users|selectattr('tags','defined')|list|length  users|selectattr('city','eq','paris')|first  messages|selectattr('role','equalto','user')|list|length  users|rejectattr('tags')|list|length  l|selectattr|list
l|sum  l|sum(start=10)  [1.5,2]|sum  users|sum(attribute='age')  [[1],[2]]|sum(start=[])  words|sum  []|sum  l|min  l|max  words|min  words|max  words|max(case_sensitive=true)  []|min  users|max(attribute='age')  mixed|max  words|unique|list  words|unique(case_sensitive=true)|list  [1,1.0,true,2]|unique|list  users|unique(attribute='age')|map(attribute='name')|list  [[1],[1]]|unique|list  l|reverse|list  s|reverse  l|reverse  d|reverse|list  emoji|reverse  n|reverse  range(3)|reverse|list
l|batch(2)|list  l|batch(2,'-')|list  l|slice(2)|list  l|slice(2,'-')|list  l|slice(0)|list  l|batch(2)|map('join')|join('|')  users|groupby('age')|map(attribute=0)|list  users|groupby('city')|map('first')|list  users|groupby('city')|list|length  words|groupby('0')|list  words|groupby(attribute=0)|map('last')|list  [('a',1),('b',2),('a',3)]|groupby(0)|list
missing|default('x')  n|default('x')  n|default('x',true)  empty|default('x',true)  empty|default('x')  zero|default(5,boolean=true)  missing|d  missing|default  a|d('x')  missing.x|default('y')  s|replace('l','L')  s|replace('l','L',2)  s|replace('','-')  a|replace(3,4)  missing|replace('a','b')  s|replace('l')  n|replace('None','x')  s|replace(old='l',new='0')
'42'|int  '4.7'|int  'x'|int  'x'|int(5)  ''|int  n|int  l|int  3.99|int  -3.99|int  t|int  '0x1f'|int(base=16)  '1f'|int(0,16)  '0b11'|int(0,0)  '1_000'|int  '\x20\x2012 '|int  missing|int  'inf'|int  '1e3'|int  'z'|int(0,36)  '12'|int(0,99)  big|int  '007'|int  '٣'|length
'3.5'|float  'x'|float  'x'|float(1.5)  3|float  n|float  t|float  'nan'|float  'inf'|float  '-inf'|float  '1_0.5'|float  missing|float  '.5'|float  '5.'|float  '1e400'|float  big|float  2.5|round  3.5|round  0.5|round  2.675|round(2)  42|round  42.55|round(1,'floor')  42.51|round(1,'ceil')  1.5|round(0,'x')  -2.5|round  1234.5|round(-2)  1e20|round  2.5|round|int  t|round  'a'|round  0.1|round(20)
s|indent  'a\nb\n\nc'|indent  'a\nb'|indent(2)  'a\nb'|indent(2,true)  'a\n\nb'|indent(2,blank=true)  'a\nb'|indent('>>')  'a\nb\n'|indent(width=1,first=True)  1|indent  missing|indent  empty|indent|length  s|truncate(5)  s|truncate(5,true)  s|truncate(5,true,'')  s|truncate(5,false,'…',0)  'foo bar baz qux'|truncate(9)  'foo bar baz qux'|truncate(11)  'foo bar baz qux'|truncate(11,False,'...',0)  s|truncate(1)  'a b'|wordcount  quotes|wordcount  empty|wordcount
'%s-%s'|format(1,'a')  '%(x)s'|format(x=1)  '%s'|format('%s')  '%d'|format('x')  '%s'|format(1,x=2)  html|escape  html|e  html|e|e  html|safe  html|forceescape  n|escape  html|escape|length  (html|e)~'<'  (html|safe)+'<'  '<'+(html|safe)  html|safe|upper  [html|safe]  html|safe|string  [html|e|string]  (html|safe)==html  html|safe|trim|list|length  (html|safe)*2  [html|safe]|join  (html|safe)[0:3]+'<'  [(html|safe)[1]]
'a b/c?d=e&f'|urlencode  {'a':1,'b':'x y/z'}|urlencode  [('k','v w')]|urlencode  'è☕'|urlencode  5|urlencode  "!'()*~-_."|urlencode  1|filesizeformat  999|filesizeformat  1000|filesizeformat  1500000|filesizeformat  1024|filesizeformat(true)  1e30|filesizeformat  '5'|filesizeformat  'x'|filesizeformat
d|tojson  l|tojson  mixed|tojson  nested|tojson  s|tojson  quotes|tojson  html|tojson  accents|tojson  accents|tojson(ensure_ascii=true)  emoji|tojson(ensure_ascii=True)  n|tojson  t|tojson  f|tojson  1.0|tojson  1e100|tojson  big|tojson  missing|tojson  [missing]|tojson  (1,2)|tojson  d|tojson(indent=2)  nested|tojson(indent=4)  [[],{}]|tojson(indent=2)  d|tojson(indent=0)  l|tojson(indent='--')  l|tojson(indent=n)  l|tojson(indent=true)  l|tojson(indent=-1)
d|tojson(separators=(',',':'))  d|tojson(separators=[',',':'])  d|tojson(indent=1,separators=(' , ',' : '))  {'b':1,'a':2}|tojson(sort_keys=true)  {1:2,n:3,true:4,1.5:5}|tojson  {(1,2):3}|tojson  range(3)|tojson  d.items()|tojson  l|map('abs')|tojson  namespace(a=1)|tojson  (html|safe)|tojson  "\x00\x1f\x7f\u2028/\b\f"|tojson  "\x7fé"|tojson(true)  d|tojson(2)  d|tojson(x=1)  d|tojson|safe|length  users|tojson  messages|tojson(indent=2)  [1e999,-1e999]|tojson
s|nothing  s|nothing(1)  s|upper(1)  s|join(',','x','y')  s|attr('upper')  s|attr('x')  d|attr('one')  missing|attr('x')  s|length|string~'!'  s|upper|lower|title  -a|abs  -f|abs|int  'a'~'b'|upper  ('a'~'b')|upper  1+2|string  not l|length  [3,1]|sort|first|string~'x'  s|replace('Hello','Bye')|upper|replace('BYE','x')
"""

TESTS = r"""
a is odd  a is even  2.0 is even  s is odd  a is divisibleby(3)  a is divisibleby 3  9 is divisibleby(0)  missing is defined  s is defined  d.x is defined  d.one is not defined  missing is undefined  missing.x is defined  n is none  zero is none  missing is none
t is boolean  1 is boolean  t is true  1 is true  false is false  0 is false  1 is integer  t is integer  1.0 is integer  1.0 is float  1 is number  t is number  'a' is number  s is string  n is string  missing is string  d is mapping  l is mapping  d is iterable  l is iterable  s is iterable  n is iterable  missing is iterable  1 is iterable
d is sequence  l is sequence  s is sequence  n is sequence  missing is sequence  1 is sequence  d.items() is sequence  (l|map('abs')) is sequence  (l|map('abs')) is iterable  range(3) is sequence  range is callable  s is callable  s.upper is callable  missing is callable  'abc' is lower  'ABC' is upper  s is upper  '1' is lower
a is eq 3  a is eq(4)  a is equalto 3  a is ne 3  a is gt 2  a is ge 3  a is lt 3  a is le 3  a is greaterthan(1)  a is lessthan(1)  'a' is in 'abc'  a is in l  a is in(l)  a is not in l  n is sameas none  t is sameas true  1 is sameas true  html is escaped  (html|safe) is escaped  a is nothing
'upper' is test  a is string or a is integer  not a is string  a is not string  (a is not string) |string  a is defined and a  a is string is true  1 if a is string else 2  [a is odd,b is odd]  a is odd == true  missing is lower  namespace() is mapping  (1,2) is sequence  cycler is callable
"""

# Whole templates: statements, scopes, white space.
TEMPLATES = [
    # white space and line ends
    "a\n{% if t %}\n  b\n{% endif %}\nc\n", "a\r\n{% if t %}\r\nb\r\n{% endif %}\r\nc\r\n", "a\rb\r{{ a }}\r", "  {% if t %}x{% endif %}  \n", "a\n   {%- if t -%}  \n b \n {%- endif -%}   \n c",
    "a {{- a -}} b", "a\n{{- a }}\n\n{{ b -}}\n\nc", "x {%+ if t %}y{% endif %}", "x\n   {%+ if t %}y\n{%+ endif %}\nz", "{% if t +%}\nx{% endif %}", "{% if t %}\n\nx\n\n{% endif %}\n\n", "{# c #}\nx{# d -#}\n\n y {#- e #}", "   {# c #}\nx", "   {# c #} y", "  {{ a }}\n",
    "{#\n{{ nothing }}\n#}x", "a\n\n", "a\n", "\n", "", "{{ a }}\n", "\n\n{{ a }}", "{%- if t -%}\n x \n{%- endif %}\n", "\t{% if t %}\n\tx\n\t{% endif %}", "a{% if t %}  \n{% endif %}b", " \u00a0{%- if t %} x{% endif %}", "x\u00a0{%- if t %}y{% endif %}",
    "{% raw %}{{ a }}{% endraw %}", "{% raw %}\n  {% if %}\n{% endraw %}\nx", "{%- raw -%}\n {{ a }} \n{%- endraw -%}\n x", "{% raw %}a", "{% raw +%}x{% endraw %}", "a\n  {% raw %}\n x{% endraw +%}\n", "{{ '{{' }}{{ '%}' }}{{ \"}}\" }}", "{{ '{% x %}' }}", "{{ {'a': {'b': 1}} }}", "{{ {'a':{}}}}", "{{{'a':1}.a}}",
    "{{+ a }}", "{{-a}}", "{{--a}}", "{{ -1 }}", "{{ a", "{% if t", "{{ a }", "{{ a %}", "{# a", "{% endif %}", "{{ 'a }}", "{{ ) }}", "{{ (] }}", "{{ a ? b }}", "{{ a & b }}", "{{ $x }}", "{{ é }}", "{{ a;b }}", "{{}}", "{{ }}", "{% %}", "{%%}", "}} %} #}", "{ { a } }", "{ % if % }",
    # if, for
    "{% if a %}1{% elif b %}2{% else %}3{% endif %}", "{% if zero %}1{% elif b %}2{% else %}3{% endif %}", "{% if zero %}1{% elif n %}2{% else %}3{% endif %}", "{% if a: %}x{% endif %}", "{% if %}x{% endif %}", "{% if t %}x", "{% if t %}x{% endfor %}", "{% if a, b %}x{% endif %}", "{% else %}",
    "{% for i in l %}{{ i }}{% endfor %}", "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in missing %}x{% else %}none{% endfor %}", "{% for i in n %}x{% endfor %}", "{% for i in 5 %}x{% endfor %}", "{% for c in emoji %}[{{ c }}]{% endfor %}",
    "{% for k in d %}{{ k }},{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}", "{% for k, v in d|items %}{{ k }}={{ v }},{% endfor %}", "{% for a, b in [[1,2],[3,4]] %}{{ a }}{{ b }}{% endfor %}{{ a }}", "{% for a, b in [[1,2,3]] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for (a, b), c in [((1,2),3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, in [(1,)] %}{{ a }}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.length }}{{ loop.last }}{% endfor %}", "{% for i in l if i > 9 %}x{% else %}none{% endfor %}", "{% for i in l if loop %}x{% endfor %}", "{% set ns = namespace(stop=false) %}{% for i in l if not ns.stop %}{{ i }}{% set ns.stop = true %}{% endfor %}", "{% for i in l %}{% for j in l %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for i in l %}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}", "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in l %}{{ loop.cycle() }}{% endfor %}", "{% for i in [1,1,2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "{% for i in l %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% else %}e{% endfor %}", "{% for i in l %}{% break %}{% else %}none{% endfor %}", "{% for i in l %}{% continue %}{% else %}none{% endfor %}", "{% for i in l %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% else %}none{% endfor %}", "{% break %}", "{% for i in l %}{{ i }}{% endfor %}{{ i }}", "{% for i in l %}{% set x = i %}{% endfor %}{{ x }}", "{% set x = 0 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% for i in l %}{{ x }}{% set x = i %}{% endfor %}",
    "{% for loop in l %}{{ loop }}{% endfor %}", "{% for i in l %}{% set loop = 1 %}{{ loop }}{% endfor %}", "{{ loop }}", "{{ loop.index }}", "{% for x in l|reverse %}{{ x }}{{ loop.last }}{{ loop.revindex }}{% endfor %}", "{% for x in l|map('string') %}{{ x }}{{ loop.length }}{% endfor %}", "{% for x in l|map('string') %}{{ x }}{{ loop.last }}{% endfor %}", "{% for x in d.values() %}{{ x }}{{ loop.length }}{% endfor %}", "{% for x in range(3) %}{{ x }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}", "{% for i in l %}{{ loop.x }}{% endfor %}", "{% for i in l %}{{ loop['index'] }}{% endfor %}",
    "{% for x in [[1,[2]],3] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{{ loop.depth }}{% endif %}{% endfor %}", "{% for x in l %}{{ loop(l) }}{% endfor %}", "{% for x in [1] recursive %}{{ x }}{% else %}none{% endfor %}", "{% for x in [[]] recursive %}{{ loop(x) }}{% else %}none{% endfor %}", "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}", "{% for m in messages if m.role != 'system' %}{{ loop.index }}{{ m['role'] }}{% endfor %}", "{% for m in messages[1:] %}{{ m.role }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.role }} {% endfor %}", "{% for i in range(messages|length - 1, -1, -1) %}{{ messages[i].role[0] }}{% endfor %}",
    # set, scopes
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ y }}{{ x }}", "{% set x, y = 1 %}", "{% set x = 1, 2 %}{{ x }}", "{% set (x, y) = [1, 2] %}{{ x + y }}", "{% set x %}a{{ a }}{% endset %}[{{ x }}]", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | replace('a', 'b') | upper %}abc{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{% endset %}{{ y }}", "{% set s.x = 1 %}", "{% set d.x = 1 %}", "{% set l[0] = 1 %}", "{% set 'a' = 1 %}", "{% set none = 1 %}", "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = [ns.a] %}{{ ns.b }}{{ ns }}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{% set ns = namespace(x=1) %}{% set ns.x, y = 2, 3 %}{{ ns.x }}{{ y }}", "{% set ns.x = 1 %}",
    "{% if t %}{% set x = 1 %}{% endif %}{{ x }}", "{% if zero %}{% set x = 1 %}{% endif %}{{ x }}{{ x is defined }}", "{% if zero %}{% set s = 1 %}{% endif %}{{ s }}", "{% if zero %}{% set s = 1 %}{% else %}{% set q = s %}{% endif %}{{ q }}", "{% for i in l %}{{ s }}{% endfor %}{% set s = 1 %}", "{{ s }}{% set s = 1 %}{{ s }}", "{% set s = s ~ '!' %}{{ s }}", "{% macro m() %}{{ s }}{% endmacro %}{{ m() }}{% set s = 1 %}{{ m() }}", "{% macro m() %}{{ q }}{% endmacro %}{% set q = 1 %}{{ m() }}{% set q = 2 %}{{ m() }}", "{% for i in l %}{% if i == 1 %}{% set s = i %}{% endif %}{{ s }}{% endfor %}{{ s }}", "{% for i in l %}{% set s = s ~ i %}{{ s }};{% endfor %}", "{% if t %}{% for i in l %}{% set q = i %}{% endfor %}{% endif %}{{ q }}",
    "{% set l = l + [4] %}{{ l }}", "{% for s in l %}{{ s }}{% endfor %}{{ s }}", "{% for i in l %}{% if i == 3 %}{% set q = 'x' %}{% elif i == 1 %}{% set q = 'y' %}{% endif %}{{ q }}{% endfor %}", "{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x }}", "{% with x = 1, y = a %}{{ x }}{{ y }}{% endwith %}{{ x }}", "{% with a = 9 %}{{ a }}{% with b = a %}{{ b }}{% endwith %}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% with a %}{% endwith %}", "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}aXa{% endfilter %}", "{% filter trim %}  x {% endfilter %}|", "{% filter nothing %}{% endfilter %}", "{% filter indent(2) %}a\nb{% endfilter %}",
    # macros
    "{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(1) }}{{ m('a') }}", "{% macro m(x, y=2) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(y=4, x=5) }}{{ m() }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(y=1) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}", "{% macro m(x) %}{{ x }}{{ varargs }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(x, y=x) %}{{ y }}{% endmacro %}{{ m(1) }}", "{% macro m(x=y, y=1) %}{{ x }}{% endmacro %}{{ m() }}", "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro m(x) %}{% set y = x %}{{ y }}{% endmacro %}{{ m(1) }}{{ y }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{{ a }}{% endcall %}", "{% macro m() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(x, y) m() %}{{ x }}{{ y }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% call 1 %}{% endcall %}", "{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}", "{% macro m(caller=2) %}{{ caller }}{% endmacro %}{{ m() }}", "{% call(x=3) s.upper() %}{% endcall %}", "{% macro m() %}{% if caller %}y{{ caller() }}{% else %}n{% endif %}{% endmacro %}{{ m() }}{% call m() %}z{% endcall %}", "{% macro m(a, b) %}{% endmacro %}[{{ m() }}]", "{% macro m %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(1) %}{% endmacro %}", "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% macro m() %}{{ m2() }}{% endmacro %}{% macro m2() %}x{% endmacro %}{{ m() }}", "{% if t %}{% macro m() %}x{% endmacro %}{% endif %}{{ m() }}", "{% macro m() %}\n  x\n{% endmacro %}\n[{{ m() }}]", "{% macro m() -%}\n  x\n{%- endmacro %}\n[{{ m() }}]", "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(x) %}{{ x|upper }}{% endmacro %}{{ m('a') ~ m('b') }}", "{% set f = namespace(m=1) %}{% macro m(x) %}{% set f.m = x %}{% endmacro %}{{ m(5) }}{{ f.m }}", "{% macro m(x) %}{{ x.y.z }}{% endmacro %}{{ m({}) }}", "{% macro m(*args) %}{% endmacro %}", "{{ m(*[1,2]) }}{% macro m(a,b) %}{{ a }}{{ b }}{% endmacro %}", "{% macro m(a,b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1,2]) }}{{ m(**{'a': 1, 'b': 2}) }}{{ m(1, **{'b': 3}) }}", "{{ m }}", "{% macro m() %}{% endmacro %}{{ m is callable }}{{ m is defined }}",
    # the rest of the tags
    "{% generation %}x{{ a }}{% endgeneration %}", "a\n{% generation %}\nx\n{% endgeneration %}\nb", "{% generation %}{% set x = 1 %}{% endgeneration %}{{ x }}", "{% for m in messages %}{% generation %}{{ m.role }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% print a %}", "{% print a, b %}", "{% do l %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% nothing %}", "{% trans %}x{% endtrans %}", "{% debug %}",
    "{{ s|nothing if zero else 1 }}", "{% if zero %}{{ s|nothing }}{% endif %}ok", "{% if t %}{{ s|nothing }}{% endif %}ok", "{% for x in [] %}{{ s|nothing }}{% endfor %}ok", "{% if zero %}{% for x in [] %}{{ s|nothing }}{% endfor %}{% endif %}ok", "{% macro m() %}{{ s|nothing }}{% endmacro %}ok", "{{ 1 if s is nothing else 2 }}", "{% if s is nothing %}{% endif %}", "{{ [1 is nothing] }}", "{{ s is nothing }}",
    "{{ raise_exception('x') }}", "{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}{% set messages = messages[1:] %}{% endif %}{{ sys }}{{ messages|length }}", "{% set x = messages[4].content.split('</think>')[-1].lstrip('\\n').rstrip() %}[{{ x }}]", "{% set _ = l.append(4) %}{{ l }}", "{%- for m in messages -%}\n{{- m.role + ': ' + (m.content or '') + '\\n' -}}\n{%- endfor -%}", "{{ messages[2].tool_calls[0].function.arguments | tojson }}", "{% for k, v in messages[2].tool_calls[0].function.arguments.items() %}{{ k }}={{ v }};{% endfor %}", "{{ (messages | selectattr('role', 'equalto', 'user') | list | last).content }}", "{{ messages | map(attribute='content') | select('string') | join('|') }}", "{{ messages | map(attribute='role') | unique | join(',') }}",
    "{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}", "{{ a\n+\nb }}", "{{ {\n'a': 1,\n} }}", "{{ 'a' 'b' }}", "{{ 1 .real }}", "{{ a.b.c }}", "{{ a if b }}", "{{ (1, 2)|length }}", "{{ 1, 2 }}", "{{ x = 1 }}", "{{ l[1:2, 3] }}", "{{ l[1, 2] }}", "{{ l[] }}", "{{ s[1:][0] }}", "{{ f'x' }}", "{{ lambda: 1 }}", "{{ [x for x in l] }}", "{{ a is }}", "{{ a | }}", "{{ | a }}", "{{ a. }}", "{{ .a }}", "{{ a..b }}", "{{ not }}", "{{ a and }}", "{{ a not b }}", "{{ dict(a=1, a=2) }}", "{{ s.split(sep=' ', sep=' ') }}", "{{ range(1, *[3]) | list }}", "{{ s.replace(**{}) }}", "{{ 'x' if 1 else }}", "{{ 00 }}", "{{ 01 }}", "{{ 1_ }}", "{{ 1__0 }}", "{{ 0x }}", "{{ 1.e5 }}", "{{ 1.5.real }}", "{{ a.0 }}", "{{ l.1.2 }}", "{{ 1.5e }}", "{{ '\\N{DASH}' }}", "{{ True.x }}", "{{ none.x }}", "{{ self }}", "{{ super() }}", "{{ varargs }}", "{{ caller }}", "{{ l is iterable and l is not string and l is not mapping }}",
]

# The formats that the families of models were taught, in our own words.
CHATS = [
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'tool' %}<|start_header_id|>ipython<|end_header_id|>\n\n{{ m.content | tojson }}<|eot_id|>{% elif m.tool_calls is defined %}{% for c in m.tool_calls %}{{ '{\"name\": \"' + c.function.name + '\", \"parameters\": ' + c.function.arguments | tojson + '}' }}{% endfor %}<|eot_id|>{% else %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + (m['content'] or '') | trim + '<|eot_id|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {%- for tool in tools %}{{- \"\\n\" }}{{- tool | tojson }}{%- endfor %}\n    {{- \"<|im_end|>\\n\" }}\n{%- else %}\n    {%- if messages[0].role == 'system' %}\n        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}\n        {%- set ns.multi_step_tool = false %}\n        {%- set ns.last_query_index = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if loop.index0 > ns.last_query_index and message.content %}{{- message.content.split('</think>')[-1].lstrip('\\n') }}{%- else %}{{- message.content }}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}",
    "{%- set loop_messages = messages %}{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}{%- endif %}{{- bos_token }}{%- for message in loop_messages %}{%- if message['role'] == 'user' %}{%- if loop.first and system_message is defined %}{{- '[INST]' + system_message + '\\n\\n' + message['content'] + '[/INST]' }}{%- else %}{{- '[INST]' + message['content'] + '[/INST]' }}{%- endif %}{%- elif message.tool_calls is defined and message.tool_calls is not none %}{{- '[TOOL_CALLS][' }}{%- for tool_call in message.tool_calls %}{%- set out = tool_call.function|tojson %}{{- out[:-1] }}{%- if not tool_call.id is defined or tool_call.id|length != 9 %}{{- ', \"id\": \"' + tool_call.id + '\"}' }}{%- endif %}{%- endfor %}{{- ']' + eos_token }}{%- elif message['role'] == 'assistant' %}{{- message['content'] + eos_token }}{%- endif %}{%- endfor %}",
    "{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + (message['content'] or '') | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "{% for message in messages %}{% if (message['role'] != 'tool') and message['content'] %}{{'<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>' + '\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "{%- set today = strftime_now('%B %d, %Y') %}<|start_of_role|>system<|end_of_role|>Today: {{ today }}.<|end_of_text|>\n{%- for m in messages %}{%- if m.role == 'tool' %}<|start_of_role|>tool_response<|end_of_role|>{{ m.content }}{%- elif m.role != 'system' %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content or '' }}{%- if m.tool_calls %}<|tool_call|>{{ m.tool_calls | map(attribute='function') | list | tojson(indent=4) }}{%- endif %}{%- endif %}<|end_of_text|>\n{% endfor %}{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}",
    "{% if messages[0]['role'] == 'system' %}{% set offset = 1 %}{% else %}{% set offset = 0 %}{% endif %}{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] | string + '<|im_end|>' + '\n'}}{% endfor %}",
    "{%- macro json_type(spec) -%}{%- if spec.type == 'string' %}str{%- elif spec.type == 'integer' %}int{%- elif spec.type == 'array' %}{{- 'List[' + json_type(spec['items']) + ']' }}{%- elif spec.type is iterable and spec.type is not string %}{{- 'Union[' }}{%- for t in spec.type %}{{- json_type({'type': t}) }}{%- if not loop.last %},{% endif %}{%- endfor %}{{- ']' }}{%- else %}Any{%- endif %}{%- endmacro -%}{{ json_type({'type': 'array', 'items': {'type': ['string', 'null', 'integer']}}) }}",
    "{%- for message in messages %}{%- if message['role'] == 'assistant' and message['tool_calls'] %}{%- for tc in message['tool_calls'] %}{%- for key, value in tc['function']['arguments'] | items %}{{- '<parameter=' ~ key ~ '>' ~ (value | tojson if value is mapping or (value is sequence and value is not string) else value | string) ~ '</parameter>' }}{%- endfor %}{%- endfor %}{%- else %}{{- message['role'] | upper ~ ': ' ~ message['content'] }}{%- endif %}\n{%- endfor %}",
]


def split(block):
    return [one for line in block.strip("\n").split("\n") for one in line.split("  ") if one]


def fragments():
    expressions = [one for block in (WRITTEN, OPERATORS, SUBSCRIPTS, CALLS, FILTERS, TESTS) for one in split(block)]
    yield from (f"{{{{ {one} }}}}" for one in expressions)
    yield from (f"{{{{ ({text}).{method} | string }}}}" for method in split(METHODS) for text in TEXTS)
    yield from TEMPLATES
    yield from CHATS


def render(source, variables):
    template = chat_template_utils._compile_jinja_template(source)
    template.environment.globals["strftime_now"] = NOW.strftime
    template.globals["strftime_now"] = NOW.strftime
    return template.render(**variables)


def recorded(source):
    context = {**VARIABLES, "tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
    try:
        text = render(source, context)
        text.encode()
    except Exception:  # whatever it is, we have to refuse as well
        return [source, None]
    return [source, None if " at 0x" in text else text]


if __name__ == "__main__":
    cases = [recorded(source) for source in dict.fromkeys(fragments())]
    made_by = f"test/oracle/jinja_fragments.py, transformers {transformers.__version__}, jinja2 {jinja2.__version__}"
    path = pathlib.Path(__file__).parent.parent / "fixtures" / "chat" / "fragments.json"
    lines = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
    now = list(NOW.timetuple())[:6]
    path.write_text(f'{{"madeBy": {json.dumps(made_by)}, "now": {json.dumps(now)}, "variables": {json.dumps(VARIABLES)}, "cases": [\n{lines}\n]}}\n')
    print(len(cases), "fragments,", sum(text is None for _, text in cases), "of them refused")
