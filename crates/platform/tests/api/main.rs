//! The REST API over a real socket and a real store. What starts code needs workerd, and is tested end to end.

mod support;

mod access;
mod assets;
mod d1;
mod document;
mod kv;
mod namespaces;
mod openapi;
mod pressure;
mod routing;
mod scripts;
mod secrets;
mod seeded;
mod settings;
mod tags;
mod uploads;
mod versions;
