/**
 * Pairs that look alike and ask different things, written one by one against the verifier: what separates them is a word, a letter, a
 * sign or a place that a lenient comparison drops.
 */
import type { LabelledPair } from './pairs.ts';

/** kind -> pairs, one a line, `a | b`. */
const NEAR_MISSES: Readonly<Record<string, string>> = {
  article: `
What is the matter? | What is matter?
What is the time? | What is time?
Who is the doctor? | Who is a doctor?
Are few users affected? | Are a few users affected?
Is there little hope? | Is there a little hope?
What is the number of errors? | What is a number of errors?
What is the Matrix? | What is a matrix?
Is he in prison? | Is he in the prison?
Which car is out of question? | Which car is out of the question?
Who is the only child? | Who is an only child?
Explain the difference between a and an | Explain the difference between an and the
Is it the moon? | Is it a moon?`,
  person: `
Who are you? | Who am I?
Should I pay you? | Should you pay me?
Do you like cats? | Do I like cats?
Can you swim? | Can I swim?
How do you feel about it? | How do I feel about it?
Where are you from? | Where am I from?
What do I owe you? | What do you owe me?
Are you my lawyer? | Am I your lawyer?
What is my name? | What is the name?
Delete my account | Delete the account
Show me the teacher | Show the teacher
Will you call me? | Will I call you?
Do I have to sign? | Do you have to sign?
Can I trust you? | Can you trust me?
Is this for me? | Is this for you?`,
  politeness: `
Translate thank you into Spanish | Translate hello into Spanish
Translate please into French | Translate thanks into French
What does hello mean? | What does please mean?
How do I say hi in Korean? | How do I say thanks in Korean?
Write hello in Java | Write in Java
How do you spell please? | How do you spell thank you?
Is hey a word? | Is hello a word?
What rhymes with hello? | What rhymes with please?`,
  auxiliary: `
What is eating cats? | What does eating cats?
Is John teaching? | John teaching?
Who is trained? | Who trained?
Which players are hurt? | Which players hurt?
What is it to you? | What are they to you?
Is the fish dead? | Are the fish dead?
Who is the boss? | Who are the boss?
The model is trained | The model trained
The code works. | The code works?
You are coming. | You are coming?
It is done. | It is done?
Does it hurt? | Did it hurt?
Who was served? | Who served?
He is lost | He lost`,
  modal: `
How can I invest? | How should I invest?
How would I know? | How do I know?
How could I forget? | How do I forget?
Can I refuse? | Must I refuse?
May I leave? | Can I leave?
I can appeal | I must appeal
Should I wait? | Could I wait?
You need not reply | You must not reply
You may enter | You might enter
Do I have to go? | Do I get to go?
Shall we merge it? | Would we merge it?
Is it required? | Is it allowed?`,
  manner: `
How do I look? | How to look?
How can I be pregnant? | How to be pregnant?
How do I die in the end? | How to die in the end?
How do I sound on calls? | How to sound on calls?
How do I compare with others? | How to compare with others?
How do I benefit from the law? | How can I benefit from the law?
How do I feel better? | How can I feel better?
What is the easiest way to cook rice? | What is the best way to cook rice?
What is the right way to say it? | What is the best way to say it?
Is there a way to undo it? | How do I undo it?
Tell me when the build is done | When the build is done
Do you know who I am? | Tell me who I am
How do we get to the moon? | How do I get to the moon?`,
  quantifier: `
Do all users see it? | Do any users see it?
Is any test failing? | Is every test failing?
Delete some of the files | Delete all of the files
Delete only the copies | Delete the copies
Only admins can delete | Admins can only delete
Name exactly 3 rivers | Name 3 rivers
Write just one line | Write one line
Is it really safe? | Is it safe?
Each user gets one key | Each user gets a key
Both tests passed | Either test passed
Most of us agree | Many of us agree
Neither of them is true | None of them is true
At least five days | At most five days
Up to five days | Over five days
Almost all requests fail | All requests fail
Not all requests fail | All requests do not fail
Nearly done | Done`,
  negation: `
It is not unlikely to rain | It is not likely to rain
It is not un-American | It is not American
Is it not impossible? | Is it impossible?
Which of the drugs that help adults do not help children? | Which of the drugs that help adults do help children?
List the users that, as far as we know, have never paid | List the users that, as far as we know, have paid
Do not, under any circumstances, delete it | Do, under any circumstances, delete it
I can hardly see it | I can see it
Few people failed to vote | Few people voted
Refuse to sign it | Sign it
Who besides Ann left? | Who except Ann left?
Fail if it is missing | Fail unless it is missing
Is the file non-empty? | Is the file empty?
Is it useful? | Is it useless?
Is it legal? | Is it illegal?
Is it reversible? | Is it irreversible?
Is the list ordered? | Is the list unordered?
I do not think he lied | I think he did not lie
He did not come because he was ill | Because he was ill he did not come
I regret sending it | I regret not sending it
Without a doubt it works | It works without a doubt about you`,
  order: `
Is the train from Rome to Milan late? | Is the train from Milan to Rome late?
Copy a to b | Copy b to a
Move the file from staging to live | Move the file from live to staging
Lock before saving | Save before locking
Test after the deploy | Deploy after the test
Subtract 3 from 7 | Subtract 7 from 3
Is 3 larger than 5 | Is 5 larger than 3
Divide 8 by 2 | Divide 2 by 8
Does rain cause floods? | Do floods cause rain?
Did Ann hire Bob? | Did Bob hire Ann?
What is the ratio of cats to dogs? | What is the ratio of dogs to cats?
Merge main into dev | Merge dev into main
Rename foo to bar | Rename bar to foo
Is the dog on the mat? | Is the mat on the dog?
Can seniors teach juniors? | Can juniors teach seniors?
Call f with x then y | Call f with y then x
Are houses red here? | Are red houses here?
What works only here? | What only works here?
Is a square a rectangle? | Is a rectangle a square?
Order rows by age then name | Order rows by name then age`,
  number: `
Spell three | Spell 3
How many letters are in seven? | How many letters are in 7?
Which one is it? | Which 1 is it?
Sort 1,234,567 | Sort 1234567
Send 1,000 kg | Send 1000 kg
Send 1.000 kg | Send 1,000 kg
Is 1.5 right? | Is 15 right?
Is 0.10 the version? | Is 0.1 the version?
Is it 007? | Is it 7?
Add 1, 23 and 4 | Add 12, 3 and 4
Call 555-0100 | Call 5550100
Compute 5-3 | Compute 5 3
Is -5 even? | Is 5 even?
Read pages 3-5 | Read pages 3 5
What is 5!? | What is 5?
Is 1e3 large? | Is 1e-3 large?
Count to ten | Count to tenth
Use two thirds | Use two third`,
  unit: `
It rose by 5 percent | It rose by 5 percentage points
It rose by 5 % | It rose by 5 points
How far is 5 m? | How far is 5 M?
How much is 3 mg? | How much is 3 Mg?
Is 8 GB enough? | Is 8 Gb enough?
Is it 20 C? | Is it 20 F?
How long is 5 min? | How long is 5 in?
How big is a kB? | How big is a KB?
How much is 5 K? | How much is 5 k?
Pay 5 USD | Pay 5 CAD
Pay $5 | Pay \u20ac5
Pay 5 dollars | Pay 5 cents
How long is a mile? | How long is a nautical mile?
Use 2 tons | Use 2 tonnes
How much is a US gallon? | How much is a UK gallon?
Give it in oz | Give it in fl oz
Is 5 ppm safe? | Is 5 ppb safe?`,
  time: `
Is it due on 03/04/2025? | Is it due on 04/03/2025?
Is it due on 2025-03-04? | Is it due on 2025-04-03?
Is it due on 3 April? | Is it due on 3 May?
Is it due on 4.3.2025? | Is it due on 3.4.2025?
Meet at 8 am | Meet at 8 pm
Meet at 8:00 | Meet at 80:0
By Friday | On Friday
Since Monday | Until Monday
Every two weeks | Every second week
Biweekly | Twice a week
Next Friday | This Friday
Before 1990 | After 1990
In two days | For two days
Yesterday at noon | Today at noon
Did he leave? | Has he left?
When does it open? | When did it open?
During 2019 | Until 2019`,
  version: `
Install Python 3.1 | Install Python 3.10
Install Node 20 | Install Node 22
Is v1.2.3 out? | Is v1.3.2 out?
Is 2.0-rc1 stable? | Is 2.0 stable?
Use HTTP 1.1 | Use HTTP 2
Use TLS 1.2 | Use TLS 1.3
Is ES5 enough? | Is ES6 enough?
Upgrade from 3 to 4 | Upgrade from 4 to 3`,
  identifier: `
What does getUser do? | What does getuser do?
What does user_id hold? | What does userId hold?
What does user id hold? | What does user_id hold?
What does a.b return? | What does a b return?
What does x++ do? | What does x do?
What does ++x do? | What does x++ do?
What does a[0] hold? | What does a0 hold?
What does *p mean? | What does p mean?
What does &p mean? | What does *p mean?
What is C++? | What is C?
What is C#? | What is C?
What does -r do in grep? | What does r do in grep?
What does rm -rf do? | What does rm rf do?
What is /etc? | What is etc?
What does a==b test? | What does a=b test?
What does !x mean? | What does x mean?
Match ab? here | Match ab here
What does $HOME hold? | What does HOME hold?
Is Map a type? | Is map a type?
What is a List? | What is a list?
Explain let's go | Explain lets go
What does git push -f do? | What does git push do?
Is NaN equal? | Is nan equal?
Count the spaces in a  b | Count the spaces in a b
Read a.txt | Read a txt
Use a-b | Use a b
What does it's mean? | What does its mean?
What does don't mean? | What does do not mean?`,
  punctuation: `
Let us eat, grandma | Let us eat grandma
Is it a man-eating shark? | Is it a man eating shark?
Book twenty four-hour shifts | Book twenty-four hour shifts
No, stop it | No stop it
Is it an extra-marital affair? | Is it an extra marital affair?
Re-sign the player | Resign the player
Recover the sofa | Re-cover the sofa
Pardon impossible, to be executed | Pardon, impossible to be executed
Call me Ann | Call me, Ann
Thank you, John Smith | Thank you John, Smith
Translate yes, please | Translate yes
Is the co-op here? | Is the coop here?
Who said "go"? | Who said go?
A woman, without her man, is nothing | A woman without her, man is nothing
Is it his dogs' bed? | Is it his dog's bed?
He said (maybe) yes | He said maybe yes`,
  capital: `
Where do I buy Polish paint? | Where do I buy polish paint?
What is the capital of Turkey? | What is the capital of turkey?
How do I clean China? | How do I clean china?
Is Python dangerous? | Is python dangerous?
How big is the Amazon? | How big is the amazon?
How do I install Windows? | How do I install windows?
Who is Will? | Who is will?
Is March long? | Is march long?
Does US law apply? | Does us law apply?
What does AIDS cost? | What does aids cost?
Who is Rich? | Who is rich?
What is a Ford? | What is a ford?
Is Reading fun? | Is reading fun?
Is the Catholic taste common? | Is the catholic taste common?
What is SAP? | What is sap?
Who are the Who? | Who are the who?`,
  plural: `
Delete my key | Delete my keys
Which manager approves? | Which managers approve?
Is the data point wrong? | Is the data points wrong?
Show the last order | Show the last orders
What is a person's right? | What are persons' rights?
Who owns the good? | Who owns the goods?
Check the glass | Check the glasses
Is custom important? | Is customs important?
Read the new | Read the news
Count one row | Count one rows`,
  homograph: `
Is the bank of the river open? | Is the bank at the river open?
Desert the army | Dessert the army
Is it affected? | Is it effected?
Ensure the car | Insure the car
Who is the principal? | Who is the principle?
Is it stationary? | Is it stationery?
What is a complement? | What is a compliment?
Is it discrete? | Is it discreet?
Who won the race then? | Who won the race than?
Is the site down? | Is the sight down?
What is a resume? | What is a r\u00e9sum\u00e9?
Lead the team | Led the team`,
  language: `
Ist das kein Fehler? | Ist das ein Fehler?
Der Mann sieht den Hund | Den Mann sieht der Hund
Wie hoch ist die Steuer? | Wie hoch ist das Steuer?
Kennt sie die Frau? | Kennt Sie die Frau?
Ich mag Sie | Ich mag sie
Soll ich ihm helfen? | Soll ich ihnen helfen?
Schon gut | Sch\u00f6n gut
Wir haben Masse | Wir haben Ma\u00dfe
Tengo 5 a\u00f1os | Tengo 5 anos
\u00bfEsta aqu\u00ed? | \u00bfEst\u00e1 aqu\u00ed?
Si vienes, avisa | S\u00ed, vienes, avisa
El papa habla | El pap\u00e1 habla
Il est s\u00fbr du mur | Il est sur du mur
J'ai plus de pain | J'ai pas de pain
O\u00f9 est-il | Ou est-il
Il ne vient que lundi | Il ne vient pas lundi
Ho un anno | Ho un ano
On ne sait jamais | On sait jamais
Kas see on hea | Kas see ei ole hea
\u0425\u043b\u043e\u043f\u043e\u043a \u0432 \u0437\u0430\u043b\u0435 | \u0445\u043b\u043e\u043f\u043e\u043a \u0432 \u0437\u0430\u043b\u0435
\u3053\u308c\u306f\u597d\u304d\u3067\u3059 | \u3053\u308c\u306f\u597d\u304d\u3067\u306f\u306a\u3044\u3067\u3059
\u4e0d\u8981\u5220\u9664 | \u8981\u5220\u9664
\u4ed6\u6253\u6211 | \u6211\u6253\u4ed6`,
};

/** All of them. */
export function nearMisses(): LabelledPair[] {
  return Object.entries(NEAR_MISSES).flatMap(([kind, text]) =>
    text
      .trim()
      .split('\n')
      .map((line) => {
        const [a, b] = line.split(' | ') as [string, string];
        return { a, b, same: false, kind };
      }),
  );
}
