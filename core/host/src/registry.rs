//! The plugins that a run can use.

use crate::error::{Code, PluginError};
use crate::files::{self, FileParam};
use crate::info::{PluginInfo, Role};
use crate::library::{Library, Table};
use crate::load;
use crate::matcher::Matcher;
use crate::model::Model;
use crate::schema::{self, ConfigProblem};
use fs_err as fs;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where plugins are looked for: files first, then folders, in order. The first of a name is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPaths {
    /// Plugin files. One that cannot be loaded is an error.
    pub files: Vec<PathBuf>,
    /// Folders of plugin files; not searched below. One that does not exist is skipped, a file that cannot be loaded is a warning.
    pub folders: Vec<PathBuf>,
}

struct Known {
    info: Arc<PluginInfo>,
    table: Table,
    /// Place in the search order: files are 0, folders count from 1.
    level: usize,
}

/// The plugins that a run can use.
#[derive(Default)]
pub struct Registry {
    known: Vec<Known>,
    duplicates: Vec<(Role, String, PathBuf)>,
    searched: Vec<PathBuf>,
    warnings: Vec<String>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.known.iter().map(|known| known.info.title())).finish()
    }
}

impl Registry {
    /// Loads all plugins of the search paths.
    ///
    /// # Errors
    /// A file that is named cannot be loaded.
    pub fn open(search: &SearchPaths) -> Result<Self, PluginError> {
        let mut registry = Self::default();
        for file in &search.files {
            registry.searched.push(file.clone());
            let library = load::load(file)?;
            registry.add(&library, 0);
        }
        for (number, folder) in search.folders.iter().enumerate() {
            registry.searched.push(folder.clone());
            registry.add_folder(folder, number + 1);
        }
        Ok(registry)
    }

    /// A plugin that is linked into this program: for tests of its author.
    ///
    /// # Errors
    /// A run would refuse to load it.
    pub fn linked(header: &'static pddflow_abi::Header) -> Result<Self, PluginError> {
        let mut registry = Self::default();
        registry.add(&load::linked(header)?, 0);
        Ok(registry)
    }

    /// All plugins, by role and id.
    #[must_use]
    pub fn list(&self) -> Vec<PluginInfo> {
        let mut list: Vec<PluginInfo> = self.known.iter().map(|known| PluginInfo::clone(&known.info)).collect();
        list.sort_by(|a, b| (a.role, &a.id).cmp(&(b.role, &b.id)));
        list
    }

    /// What should be told to the user: files that could not be loaded, shadowed plugins, odd dependencies.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A plugin by its id.
    ///
    /// # Errors
    /// There is none (the help has the nearest name), or there are two in one place.
    pub fn find(&self, role: Role, id: &str) -> Result<&PluginInfo, PluginError> {
        self.known(role, id).map(|known| known.info.as_ref())
    }

    /// Checks parameters of a plugin and fills in the defaults of its schema.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn check_config(&self, role: Role, id: &str, config: &Value) -> Result<Value, Vec<ConfigProblem>> {
        match self.find(role, id) {
            Ok(info) => schema::check(&info.schema, config),
            Err(error) => {
                Err(vec![ConfigProblem { pointer: String::new(), message: error.to_string(), help: error.help() }])
            }
        }
    }

    /// A configured model.
    ///
    /// # Errors
    /// There is no such model, its parameters are wrong, or it refuses.
    pub fn model(&self, id: &str, config: &Value) -> Result<Arc<Model>, PluginError> {
        let known = self.known(Role::Model, id)?;
        let config = checked(&known.info, config)?;
        match &known.table {
            Table::Model(table) => Ok(Arc::new(Model::create(Arc::clone(&known.info), Arc::clone(table), &config)?)),
            Table::Matcher(_) => Err(crate::model::unchecked()),
        }
    }

    /// A configured matcher, for a pipeline file in the current folder.
    ///
    /// # Errors
    /// There is no such matcher, its parameters are wrong, or it refuses.
    pub fn matcher(&self, id: &str, config: &Value) -> Result<Arc<Matcher>, PluginError> {
        self.matcher_in(id, config, Path::new(""))
    }

    /// A configured matcher, for a pipeline file in `folder`: paths among its parameters are relative to that.
    ///
    /// # Errors
    /// There is no such matcher, its parameters are wrong, or it refuses.
    pub fn matcher_in(&self, id: &str, config: &Value, folder: &Path) -> Result<Arc<Matcher>, PluginError> {
        let known = self.known(Role::Matcher, id)?;
        let config = files::placed(&known.info.schema, checked(&known.info, config)?, folder);
        match &known.table {
            Table::Matcher(table) => {
                Ok(Arc::new(Matcher::create(Arc::clone(&known.info), Arc::clone(table), &config)?))
            }
            Table::Model(_) => Err(crate::model::unchecked()),
        }
    }

    /// The files that parameters of a matcher name; their paths are relative to the pipeline file.
    ///
    /// # Errors
    /// There is no such matcher.
    pub fn files(&self, id: &str, config: &Value) -> Result<Vec<FileParam>, PluginError> {
        Ok(files::files(&self.known(Role::Matcher, id)?.info.schema, config))
    }

    /// What a matcher's results depend on besides parameters, files and revision; see [`Matcher::identity`].
    ///
    /// # Errors
    /// There is no such matcher, its parameters are wrong, or it cannot say it.
    pub fn identity(&self, id: &str, config: &Value, folder: &Path) -> Result<Vec<(String, String)>, PluginError> {
        match &self.known(Role::Matcher, id)?.table {
            // Most matchers have nothing to say; then no instance is made.
            Table::Matcher(table) if table.identify.is_some() => self.matcher_in(id, config, folder)?.identity(),
            _ => Ok(Vec::new()),
        }
    }

    fn known(&self, role: Role, id: &str) -> Result<&Known, PluginError> {
        let found = self.known.iter().find(|known| known.info.role == role && known.info.id == id);
        let Some(found) = found else {
            return Err(self.unknown(role, id));
        };
        match self.duplicates.iter().find(|(other, name, _)| *other == role && name == id) {
            Some((_, _, second)) => {
                let message =
                    format!("there are two {role}s `{id}`: {} and {}", found.info.file.display(), second.display());
                Err(PluginError::new(Code::Duplicate, message))
            }
            None => Ok(found),
        }
    }

    fn unknown(&self, role: Role, id: &str) -> PluginError {
        let names: Vec<&str> =
            self.known.iter().filter(|known| known.info.role == role).map(|known| known.info.id.as_str()).collect();
        let places: Vec<String> = self.searched.iter().map(|path| path.display().to_string()).collect();
        let places = if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") };
        let help = format!("{}; searched: {places}", schema::nearest_help(id, &names));
        PluginError::new(Code::NotFound, format!("there is no {role} `{id}`")).with_help(help)
    }

    fn add_folder(&mut self, folder: &Path, level: usize) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        files.retain(|file| file.extension().is_some_and(|found| found == std::env::consts::DLL_EXTENSION));
        files.sort();
        for file in files {
            let loaded = load::read(&file).and_then(|bytes| {
                let named = load::names_entry(&bytes);
                // Libraries of others may lie in the folder.
                if named { load::load_bytes(&file, &bytes).map(Some) } else { Ok(None) }
            });
            match loaded {
                Ok(Some(library)) => self.add(&library, level),
                Ok(None) => {}
                Err(error) => self.warnings.push(format!("{}: {}: {error}", error.code(), file.display())),
            }
        }
    }

    fn add(&mut self, library: &Library, level: usize) {
        for warning in &library.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        for entry in &library.entries {
            let info = &entry.info;
            let first = self.known.iter().find(|known| known.info.role == info.role && known.info.id == info.id);
            match first {
                None => self.known.push(Known { info: Arc::clone(info), table: entry.table.clone(), level }),
                Some(first) if first.info.digest == info.digest => {}
                Some(first) if first.level == level => {
                    self.duplicates.push((info.role, info.id.clone(), info.file.clone()));
                }
                Some(first) => {
                    let (shown, used) = (info.file.display(), first.info.file.display());
                    self.warnings.push(format!("{shown}: {} `{}` is not used; {used} comes first", info.role, info.id));
                }
            }
        }
    }
}

fn checked(info: &PluginInfo, config: &Value) -> Result<Value, PluginError> {
    schema::check(&info.schema, config).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| {
                let place = if problem.pointer.is_empty() { "" } else { " at " };
                format!("{}{place}{}", problem.message, problem.pointer)
            })
            .collect();
        let error = PluginError::new(Code::Config, format!("{}: {}", info.title(), lines.join("; ")));
        match problems.into_iter().find_map(|problem| problem.help) {
            Some(help) => error.with_help(help),
            None => error,
        }
    })
}
