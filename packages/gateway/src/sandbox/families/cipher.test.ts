import { cipher } from './cipher.ts';
import { testCases } from './testing.ts';

testCases(
  cipher,
  {
    'Encode hello with a Caesar shift of 3': 'khoor',
    'Caesar shift the word xyz by 3, please': 'abc',
    "Encrypt 'Attack at dawn!' using a Caesar cipher, shift 3": 'Dwwdfn dw gdzq!',
    'Decode "khoor" with a Caesar shift of 3': 'hello',
    'rot13 hello': 'uryyb',
    'shift each letter of abc by 1': 'bcd',
    'Apply a Caesar cipher with shift 26 to "same"': 'same',
    'Encode "a" with a Caesar shift of 999': 'l',
  },
  [
    'Who was Caesar?',
    'Caesar shift of 3',
    'Encode hello',
    'Encode "123" with a Caesar shift of 3',
    'Encode hello world with a Caesar shift',
  ],
);
