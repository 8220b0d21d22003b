//! The command, driven as a user would.

mod asks;
mod bad_input;
mod blind;
mod changes;
mod counted;
mod doctor;
mod documents;
mod edits;
mod emergency;
mod guards;
mod machines;
mod merging;
mod notify;
mod outside;
mod owners;
mod plan_kills;
mod plans;
mod reach;
mod root;
mod runbooks;
mod scan;
mod shop;
mod trail;
mod travel;
mod verify;
mod why;
